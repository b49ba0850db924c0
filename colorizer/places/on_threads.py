"""Color what a plan names, several photos at a time, without stopping at bad ones."""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from colorizer.errors import UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.pictures.picture import Picture
from colorizer.places.memory import Budget
from colorizer.places.plan import Item, Plan
from colorizer.places.table import Report, Row
from colorizer.places.work import color_item
from colorizer.support.files import remove_stale
from colorizer.support.machine import cores
from colorizer.support.pool import as_done
from colorizer.support.stores import is_remote

__all__ = ["Engine", "Outcome", "run", "threads", "threads_of", "workers_of"]

Engine = Callable[[list[Item]], Iterator[list[Row]]]
"""Colors all items, and gives the rows of each as it is done."""


@dataclass
class Outcome:
    """What became of the photos.

    Attributes:
        counts: how many photos have each status.
        notes: sentences on those that were colored, where no report has them.
    """

    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """Exit status: 1 if a photo failed, else 0."""
        return 1 if self.counts["failed"] else 0


def run(
    plan: Plan, engine: Engine, *, quiet: bool = False, tell: Callable[[Row], object] = bool
) -> Outcome:
    """Color what is to do; failures are named on stderr and do not stop the others.

    With more than one photo, a progress bar with rate and time left goes to stderr.

    Args:
        plan: from `plan`.
        engine: such as `threads`.
        quiet: collect no notes, of which millions of photos have too many.
        tell: is called with each row, as its photo is done.

    Raises:
        UsageError, ColorizerError: the report cannot be written; the engine does not start.
    """
    from tqdm import tqdm

    result = Outcome()
    total = len(plan.todo) + len(plan.done)
    folders = {Path(i.target).parent for i in plan.todo if i.resume and not is_remote(i.target)}

    def add(rows: list[Row]) -> None:
        report.add(rows)
        for row in rows:
            result.counts[row.status] += 1
            result.notes += () if quiet else row.notes
            tell(row)
            if row.status == "failed":
                bar.write(f"failed: {row.reason}", file=sys.stderr)

    with (
        Report(plan.report, plan.share) as report,
        tqdm(total=total, unit="picture", file=sys.stderr, disable=total < 2) as bar,
    ):
        for folder in folders:
            remove_stale(folder)
        add([Row(item.name, "not a picture", item.passed) for item in plan.passed])
        add([Row(item.name, "skipped", "done before") for item in plan.done])
        bar.update(len(plan.done))
        for rows in engine(plan.todo):
            add(rows)
            bar.update()
        for folder in folders:  # of workers that were killed meanwhile
            remove_stale(folder)
    return result


def threads(
    items: list[Item],
    *,
    colorizer: Colorizer,
    workers: int = 1,
    memory: int | None = None,
    overwrite: bool = False,
) -> Iterator[list[Row]]:
    """The engine of this process: decoding, the network and encoding all leave Python alone.

    With stores there are twice as many threads as photos that are colored at a time, as stores
    make them wait.

    Args:
        colorizer: to color with.
        workers: photos that are colored at a time.
        memory: in megabytes, what the process may take, see `Budget`.
        overwrite: see `color_item`.

    Raises:
        UsageError: a value out of range.
    """
    if workers < 1:
        raise UsageError(f"workers is {workers!r}; accepted are whole numbers from 1 on")
    versions = colorizer.options.colors_from is not None or any(i.colors_from for i in items)
    budget = Budget(memory, colorizer, versions=versions)
    turns = threading.BoundedSemaphore(workers)

    @contextmanager
    def share(picture: Picture, path: Path) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
        with turns, budget.share(picture, path) as granted:
            yield granted

    work = partial(color_item, colorizer=colorizer, overwrite=overwrite, share=share)
    waits = any(is_remote(item.source) or is_remote(item.target) for item in items[:1])
    count = min(2 * workers if waits else workers, len(items))
    return as_done(work, items, count if count > 1 else 0)


def workers_of(workers: int | None, count: int) -> int:
    """How many photos to have in work; where nothing is asked for, one on each core."""
    return max(1, min(cores(), count)) if workers is None else workers


def threads_of(workers: int) -> int | None:
    """Threads for each of several workers: the cores are shared; None, all, for one worker."""
    return None if workers <= 1 else max(1, cores() // workers)
