"""Color what a plan names, by threads of this process or by Ray, with a report in parts."""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from colorizer.cluster.parts import Parts
from colorizer.cluster.plan import Item, Plan
from colorizer.cluster.work import Row, color_item
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.folders.memory import Budget
from colorizer.pictures.picture import Picture
from colorizer.support.pool import as_done
from colorizer.support.stores import Store

__all__ = ["Engine", "run", "threads"]

Engine = Callable[[list[Item], Store], Iterator[list[Row]]]
"""Colors all items into a store, and gives the rows of each as it is done."""


def run(plan: Plan, out: Store, engine: Engine, share: tuple[int, int] = (1, 1)) -> Counter[str]:
    """Color what is to do; failures are named on stderr and do not stop the others.

    Args:
        plan: from `plan`.
        out: the output, which also gets the parts of the report.
        engine: such as `threads`.
        share: which this is, of how many.

    Returns:
        How many photos were colored, skipped and failed.

    Raises:
        ColorizerError: the output cannot be written to; the engine does not start.
    """
    from tqdm import tqdm

    total = len(plan.todo) + len(plan.done)
    with Parts(out, share) as parts, tqdm(total=total, unit="picture", file=sys.stderr) as bar:
        folders = {item.name.rpartition("/")[0] for item in plan.todo}
        for folder in folders:
            out.clean(folder)
        parts.add(Row(name, "skipped", "done before") for name in plan.done)
        bar.update(len(plan.done))
        for rows in engine(plan.todo, out):
            parts.add(rows)
            bar.update()
            for row in rows:
                if row.status == "failed":
                    bar.write(f"failed: {row.reason}", file=sys.stderr)
        for folder in folders:  # of workers that were killed meanwhile
            out.clean(folder)
    return parts.counts


def threads(
    items: list[Item],
    out: Store,
    *,
    colorizer: Colorizer,
    workers: int,
    memory: int | None = None,
) -> Iterator[list[Row]]:
    """The local engine: threads, twice as many as color at a time, as stores make them wait.

    Args:
        colorizer: to color with.
        workers: photos that are colored at a time.
        memory: see `Budget`.
    """
    budget, turns = Budget(memory, colorizer), threading.BoundedSemaphore(workers)

    @contextmanager
    def share(picture: Picture, path: Path) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
        with turns, budget.share(picture, path) as granted:
            yield granted

    work = partial(color_item, out=out, colorizer=colorizer, share=share)
    yield from as_done(work, items, 2 * workers)
