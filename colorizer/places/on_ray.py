"""The Ray engine: an actor pool of Ray Data, one model in each actor.

Rows hold names only; actors read and write the stores themselves, so that no photo passes through
Ray's own store. An actor that dies takes nothing along: what it had in work is colored again, by
another one, into the same place; only then it is a row.
"""

import json
import logging
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from colorizer.errors import ColorizerError
from colorizer.extras import extra
from colorizer.inference.colorizer import Colorizer
from colorizer.places.plan import Item
from colorizer.places.table import Row
from colorizer.places.work import color_item

if TYPE_CHECKING:
    import pyarrow

__all__ = ["connect", "on_ray"]

_CPUS = 0.9  # of an actor: with whole ones, Ray's own tasks find no core, and wait in silence
_RETRIES = 2  # of a block whose actor died
_MOST_BLOCKS = 100_000


def on_ray(
    items: list[Item],
    *,
    colorizer: Colorizer,
    overwrite: bool = False,
    workers: int | None = None,
    cpus: float | None = None,
    gpus: float | None = None,
) -> Iterator[list[Row]]:
    """Color items on a cluster that `connect` has found; the rows of each as it is done.

    Args:
        colorizer: to color with; each actor loads it anew, from its own installation if the model
            is a shipped one, else from the same path.
        overwrite: see `color_item`.
        workers: actors at most; None takes as many as there are cores now. Ray starts with one,
            and adds others - and nodes, where the cluster can grow - while there is work.
        cpus, gpus: of an actor; may be fractions.
    """
    import ray

    left = {item.target: item for item in items}
    most = workers or max(1, int(ray.cluster_resources().get("CPU", 1) / (cpus or 1)))
    # Handing a block out takes about as long as coloring a small photo; at the end, actors wait for
    # the last one.
    large = max(1, min(32, len(items) // (20 * most)), -(-len(items) // _MOST_BLOCKS))
    # Whatever is missing after the first round was with an actor that died twice: one by one then.
    for size in (large, 1):
        if left:
            blocks = _blocks(list(left.values()), size)
            for target, rows in _round(blocks, size, colorizer, overwrite, most, cpus, gpus):
                if left.pop(target, None) is not None:
                    yield rows
    for item in left.values():
        reason = f"{item.source}: the worker died each time that it was in work (of its memory?)"
        yield [Row(item.name, "failed", reason)]


def connect(address: str | None) -> None:
    """Find a Ray cluster, or start one on this machine, which listens on the loopback only.

    Args:
        address: "auto", a host and port, or ray://...; None: one of this machine's own.

    Raises:
        ColorizerError: Ray is missing, or there is no cluster at this address.
    """
    ray = extra("ray", "cluster")
    extra("ray.data", "cluster")
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # or it writes between our lines
    if ray.is_initialized():
        return
    own = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"} if address is None else {}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **own)
    except Exception as error:  # of a slow start, for one, it raises nothing more special
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise ColorizerError(f"no Ray cluster at {address or 'this machine'}: {told}") from error


class _Actor:
    """A loaded model that colors the items of a block, one after the other."""

    def __init__(self, colorizer: Colorizer, overwrite: bool) -> None:
        from colorizer.pictures.quiet import silence

        silence()
        self._colorizer, self._overwrite = colorizer, overwrite

    def __call__(self, batch: "pyarrow.Table") -> dict[str, list[Any]]:
        targets, rows = [], []
        for cells in batch.to_pylist():
            item = Item(**cells)
            targets.append(item.target)
            found = color_item(item, self._colorizer, self._overwrite)
            rows.append(json.dumps(found))
        return {"target": targets, "rows": rows}


def _round(
    blocks: list["pyarrow.Table"],
    size: int,
    colorizer: Colorizer,
    overwrite: bool,
    most: int,
    cpus: float | None,
    gpus: float | None,
) -> Iterator[tuple[str, list[Row]]]:
    """The rows of all items, but of those whose actor died again and again."""
    import ray
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # only this way can the number of retries be said
        colored = ray.data.from_arrow(blocks).map_batches(
            _Actor,
            fn_constructor_args=(colorizer, overwrite),
            batch_format="pyarrow",
            batch_size=size,  # a block: what is lost with an actor
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
            num_cpus=cpus or _CPUS,
            num_gpus=gpus,
            ray_remote_args_fn=lambda: {"max_task_retries": _RETRIES},
        )
    try:
        for result in colored.iter_rows():
            rows = [Row(*row[:-1], tuple(row[-1])) for row in json.loads(result["rows"])]
            yield result["target"], rows
    # Such as a model that a worker does not find.
    except ray.exceptions.RayError as error:  # ty: ignore[possibly-missing-submodule]
        told = ([line for line in str(error).splitlines() if line.strip()] or [repr(error)])[-1]
        raise ColorizerError(
            f"Ray's workers do not work: {told.partition('Error: ')[2] or told}; what is done stays"
            " done, and the same command goes on"
        ) from error


def _blocks(items: list[Item], size: int) -> list["pyarrow.Table"]:
    import pyarrow

    parts = (items[start : start + size] for start in range(0, len(items), size))
    return [pyarrow.Table.from_pylist([item._asdict() for item in part]) for part in parts]
