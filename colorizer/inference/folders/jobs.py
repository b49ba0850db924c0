"""Many pictures: which file becomes which, and which of them are ours."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from colorizer.errors import UsageError
from colorizer.pictures.save import WRITABLE
from colorizer.support.shares import falls_to, share_of

__all__ = ["PICTURES", "Job", "one_picture", "plan", "report_path", "shard", "writable"]

SUFFIX = "-colored"

PICTURES = frozenset((*WRITABLE, ".heic", ".heif"))
"""File name extensions that are looked for in folders."""


@dataclass(frozen=True)
class Job:
    """One picture to color.

    Attributes:
        source, destination: paths.
        name: of the picture, relative to the folder that was given; the same on all machines.
        resume: leave out the picture if the destination exists and is no older than the source.
        variant: which coloring, see `Colorizer`.
    """

    source: Path
    destination: Path
    name: str
    resume: bool = False
    variant: int = 1


def plan(
    inputs: Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str] | None = None,
    variants: int = 1,
) -> list[Job]:
    """Pair each picture with the file that it becomes, or with the files of its variants.

    Without `out` that is NAME-colored.EXT beside the picture. A folder as input means all the
    pictures in it, at any depth; `out` then is a folder that gets the same tree and names. What
    can be read but not written, HEIC, becomes PNG.

    Args:
        inputs: pictures and folders. A path that does not exist becomes a job, which will fail.
        out: a file for one picture; a folder for one picture or more.
        variants: above 1, each picture becomes NAME-1.EXT, NAME-2.EXT and so on.

    Raises:
        UsageError: no input, `out` is a file but must be a folder, its extension cannot be
            written, or two pictures would become the same file.
    """
    if not 1 <= variants <= 100:
        raise UsageError(f"variants is {variants!r}; accepted are whole numbers from 1 to 100")
    paths = [Path(path) for path in inputs]
    if not paths:
        raise UsageError("no picture given; name one, several, or a folder")
    target = None if out is None else Path(out)
    many = len(paths) > 1 or paths[0].is_dir()
    if target is not None and not many and not _means_folder(target, out):
        if target.suffix.lower() not in WRITABLE:
            raise UsageError(f"cannot write {target}: accepted are {' '.join(WRITABLE)}")
        return _vary([Job(paths[0], target, str(paths[0]))], variants)
    if target is not None and many and target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file; several pictures need a folder to go to")
    if target is not None and many and target.suffix.lower() in WRITABLE and not target.is_dir():
        raise UsageError(f"{target} is the name of a picture; several pictures need a folder")
    jobs = _vary([job for path in paths for job in _jobs(path, target)], variants)
    if not jobs:
        raise UsageError(f"no picture in {', '.join(map(str, paths))}: looked for {_looked_for()}")
    _check_distinct(jobs)
    return jobs


def shard(jobs: list[Job], part: str | None = None) -> list[Job]:
    """The share of the jobs that falls to this process; all shares together are all jobs.

    Args:
        part: "i/n", with i from 1 to n. By default the environment tells, but only of folders:
            see `share_of`.

    Raises:
        UsageError: as for `share_of`.
    """
    share = _share(jobs, part)
    return [job for job in jobs if falls_to(job.name, share)]


def report_path(
    out: str | os.PathLike[str] | None, jobs: list[Job], part: str | None = None
) -> Path | None:
    """Where the report of a folder lies: in `out`, one for each share; None if there is none."""
    if out is None or not any(job.resume for job in jobs):
        return None
    own, count = _share(jobs, part)
    return Path(out) / ("report.csv" if count == 1 else f"report-{own}-of-{count}.csv")


def one_picture(jobs: list[Job], what: str) -> Path:
    """The picture that all jobs are about; raises UsageError if they are about several.

    Args:
        what: is asked for, which needs it: "an uncertainty map is".
    """
    sources = {job.source for job in jobs}
    if len(sources) > 1:
        raise UsageError(f"{what} of one photo; these are {len(sources)}")
    return sources.pop()


def _share(jobs: list[Job], part: str | None) -> tuple[int, int]:
    """Photos that are named one by one are wanted, whatever the environment says of shares."""
    if part is None and not any(job.resume for job in jobs):
        return 1, 1
    return share_of(part)


def _means_folder(target: Path, out: str | os.PathLike[str] | None) -> bool:
    return target.is_dir() or os.fspath(out or "").endswith(("/", os.sep))


def _jobs(path: Path, target: Path | None) -> Iterator[Job]:
    if not path.is_dir():
        name = str(path)
        yield Job(path, _beside(path) if target is None else writable(target / path.name), name)
        return
    for source in _walk(path, target):
        name = source.relative_to(path)
        destination = _beside(source) if target is None else writable(target / name)
        yield Job(source, destination, name.as_posix(), resume=True)


def _vary(jobs: list[Job], variants: int) -> list[Job]:
    if variants == 1:
        return jobs
    return [
        replace(
            job,
            destination=job.destination.with_name(
                f"{job.destination.stem}-{variant}{job.destination.suffix}"
            ),
            variant=variant,
        )
        for job in jobs
        for variant in range(1, variants + 1)
    ]


def _walk(folder: Path, target: Path | None) -> Iterator[Path]:
    """The pictures in a folder, sorted, but not our own results, nor anything hidden."""
    own = None if target is None else target.resolve()
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (here / name).resolve() != own
        )
        known = set(names)
        for name in sorted(names):
            path = here / name
            if path.suffix.lower() in PICTURES and name[0] != "." and not _is_result(path, known):
                yield path


def _is_result(path: Path, names: set[str]) -> bool:
    """Whether a file is what we made of another one in the same folder."""
    match = re.fullmatch(rf"(.*){SUFFIX}(-[0-9]+)?", path.stem)
    if not match:
        return False
    suffixes = (path.suffix, ".heic", ".heif", ".HEIC", ".HEIF") if path.suffix == ".png" else ()
    return any(match[1] + suffix in names for suffix in suffixes or (path.suffix,))


def _beside(path: Path) -> Path:
    return writable(path.with_name(f"{path.stem}{SUFFIX}{path.suffix}"))


def writable(path: Path) -> Path:
    """The path, but that what can be read and not written, HEIC, becomes PNG."""
    return path.with_suffix(".png") if path.suffix.lower() in (".heic", ".heif") else path


def _check_distinct(jobs: list[Job]) -> None:
    sources: dict[Path, Path] = {}
    for job in jobs:
        other = sources.setdefault(job.destination.absolute(), job.source)
        if other != job.source:
            raise UsageError(
                f"{other} and {job.source} would both become {job.destination}; color them into"
                " different folders"
            )


def _looked_for() -> str:
    return " ".join(sorted(PICTURES))
