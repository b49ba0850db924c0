"""Metrics by name, accumulated together."""

from collections.abc import Iterable

from torchmetrics import MetricCollection

from colorizer.errors import UsageError
from colorizer.metrics import pixel  # noqa: F401  (registers them)
from colorizer.registry import METRICS

__all__ = ["create_metrics", "list_metrics"]


def list_metrics() -> list[str]:
    """The names that `create_metrics` knows, sorted."""
    return list(METRICS)


def create_metrics(names: Iterable[str]) -> MetricCollection:
    """Build metrics by name; the collection updates and resets them together.

    `update(prediction, target)` takes Pictures; `compute()` gives name -> scalar, where a metric
    of several numbers adds `name_part`; `clone(prefix="val/")` names them apart.

    Raises: UnknownNameError for a name; UsageError for a string in place of a list.
    """
    if isinstance(names, str):
        raise UsageError(f"metrics is {names!r}; give a list of names: [{names!r}]")
    return MetricCollection({name: METRICS.create(name) for name in names}, compute_groups=False)
