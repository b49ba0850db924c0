"""Metrics by name, accumulated together."""

from collections.abc import Iterable, Mapping
from typing import Any

from torchmetrics import MetricCollection

from colorizer.errors import UsageError
from colorizer.metrics import accuracy, color, hues, knowledge, perceptual, pixel  # noqa: F401  (registers them)
from colorizer.registry import METRICS

__all__ = ["create_metrics", "list_metrics", "measured_by_default"]


def list_metrics(pattern: str | None = None) -> list[str]:
    """The names that `create_metrics` knows, sorted; see `Registry.names`.

    Examples:
        >>> list_metrics("psnr*")
        ['psnr', 'psnr_pooled']
    """
    return METRICS.names(pattern)


def measured_by_default() -> list[str]:
    """The names of all metrics, in the order in which they are shown."""
    return sorted(METRICS, key=lambda name: (getattr(METRICS[name], "order", 100), name))


def create_metrics(names: Iterable[str] | Mapping[str, Mapping[str, Any]]) -> MetricCollection:
    """Build metrics by name; the collection updates and resets them together.

    Args:
        names: such as `["psnr", "ssim"]`; or with the keywords of their constructors:
            `{"psnr": {}, "lpips": {"alexnet": "alexnet.safetensors"}}`.

    `update(prediction, target)` takes LabBatches; `compute()` gives name -> scalar, where a metric
    of several numbers adds `name_part`; `clone(prefix="val/")` names them apart.

    Raises: UnknownNameError for a name; UsageError for a string in place of a list, and for an
    option or weights that are not there.

    Examples:
        >>> rgb = torch.rand(2, 3, 32, 32)
        >>> metrics = create_metrics(["psnr", "ssim"])
        >>> metrics.update(rgb, rgb)  # or a Prediction and a Target
        >>> {name: round(value.item(), 2) for name, value in metrics.compute().items()}
        {'psnr': 100.0, 'ssim': 1.0}
    """
    if isinstance(names, str):
        raise UsageError(f"metrics is {names!r}; give a list of names: [{names!r}]")
    options = names if isinstance(names, Mapping) else {name: {} for name in names}
    metrics = {name: METRICS.create(name, **(options[name] or {})) for name in options}
    return MetricCollection(metrics, compute_groups=False)
