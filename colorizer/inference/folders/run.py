"""Work through many pictures, several at a time, without stopping at bad ones."""

import os
import sys
import time
from functools import partial
from pathlib import Path

from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.folders.jobs import Job
from colorizer.inference.folders.memory import Budget
from colorizer.inference.folders.report import Report, Result
from colorizer.pictures.metadata.mark import is_marked
from colorizer.pictures.picture import Picture
from colorizer.pictures.save import is_markless
from colorizer.support.files import remove_stale
from colorizer.support.machine import cores
from colorizer.support.pool import as_done

__all__ = ["check_replaceable", "run", "threads_of", "workers_of"]


def run(
    jobs: list[Job],
    colorizer: Colorizer,
    *,
    workers: int = 1,
    memory: int | None = None,
    report: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Result:
    """Color the pictures; a failure is named on stderr and does not stop the others.

    The workers are threads: decoding, the network, composing and encoding all leave Python
    alone, so that one worker's decoding overlaps with another's network. With more than one
    picture, a progress bar with rate and time left goes to stderr.

    Args:
        workers: how many pictures are in work at a time.
        memory: in megabytes, what the process may take: pictures wait for each other, and those
            that are too large are colored in smaller strips, at a smaller size, or not at all.
        report: a CSV file to write: path, status, reason, size, seconds.
        overwrite: replace files too that are no results of ours.

    Raises:
        UsageError: a value out of range.
        ColorizerError: the report cannot be written.
    """
    from tqdm import tqdm

    if workers < 1:
        raise UsageError(f"workers is {workers!r}; accepted are whole numbers from 1 on")
    budget = Budget(memory, colorizer)
    result = Result()
    for folder in {job.destination.parent for job in jobs if job.resume and not job.passed}:
        remove_stale(folder)
    with Report(report) as table:
        todo = []
        for job in jobs:
            if job.passed:
                result.passed.append(job.source)
                table.add(_row_name(job), "not a picture", job.passed)
            elif job.resume and not job.problem and _is_done(job):
                result.skipped.append(job.source)
                table.add(_row_name(job), "skipped", "done before")
            else:
                todo.append(job)
        count, skipped = len(jobs) - len(result.passed), len(result.skipped)
        bar = tqdm(total=count, initial=skipped, unit="picture", disable=count < 2)
        with bar:
            color = partial(_color, colorizer=colorizer, budget=budget, overwrite=overwrite)
            threads = workers if min(workers, len(todo)) > 1 else 0
            for job, notes, failure, size, seconds in as_done(color, todo, threads):
                bar.update()
                result.notes += notes
                if failure is None:
                    result.done.append(job.source)
                    table.add(_row_name(job), "colored", "; ".join(notes), size, seconds)
                    continue
                reason = str(failure) or type(failure).__name__
                result.failed.append((job.source, reason))
                table.add(_row_name(job), "failed", reason, size, seconds)
                named = reason if str(job.source) in reason else f"{job.source}: {reason}"
                bar.write(named, file=sys.stderr)
    return result


def workers_of(workers: int | None, count: int) -> int:
    """How many pictures to have in work; where nothing is asked for, one on each core."""
    return max(1, min(cores(), count)) if workers is None else workers


def threads_of(workers: int) -> int | None:
    """Threads for each of several workers: the cores are shared; None, all, for one worker."""
    return None if workers <= 1 else max(1, cores() // workers)


Outcome = tuple[Job, tuple[str, ...], Exception | None, str, float]


def _color(job: Job, colorizer: Colorizer, budget: Budget, overwrite: bool) -> Outcome:
    """Color one picture; whatever goes wrong is an outcome too."""
    start, size = time.perf_counter(), ""
    try:
        if job.problem:
            raise ColorizerError(job.problem)
        if not overwrite:
            check_replaceable(job.destination)
        picture = Picture.open(job.source, colorizer.options.max_pixels)
        size = f"{picture.width}x{picture.height}"
        job.destination.parent.mkdir(parents=True, exist_ok=True)
        with budget.share(picture, job.destination) as (options, notes):
            own = colorizer.with_options(variant=job.variant, **options)
            notes += own.colorize_file(picture, job.destination)
        return job, notes, None, size, time.perf_counter() - start
    except Exception as error:  # whatever it is, the other pictures are not its fault
        return job, (), error, size, time.perf_counter() - start


def _row_name(job: Job) -> str:
    return job.name if job.variant == 1 else f"{job.name} (variant {job.variant})"


def check_replaceable(path: Path) -> None:
    """Raise ColorizerError where a file is that is no result of ours."""
    if os.path.lexists(path) and not is_marked(path):
        raise ColorizerError(
            f"{path} is there already and bears no mark of ours, so it is not replaced; name"
            " another output, or say --overwrite"
        )


def _is_done(job: Job) -> bool:
    try:
        newer = job.destination.stat().st_mtime >= job.source.stat().st_mtime
    except OSError:
        return False
    return newer and (is_markless(job.destination) or is_marked(job.destination))
