"""Many pictures: which file becomes which, and working through them without stopping."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from colorizer.errors import UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.output import WRITABLE

__all__ = ["Job", "Result", "plan", "run"]

SUFFIX = "-colored"

_PICTURES = frozenset((*WRITABLE, ".heic", ".heif"))  # what is looked for in folders


@dataclass(frozen=True)
class Job:
    """One picture to color.

    Attributes:
        source, destination: paths.
        resume: leave out the picture if the destination exists and is no older than the source.
    """

    source: Path
    destination: Path
    resume: bool = False


@dataclass
class Result:
    """What became of the jobs.

    Attributes:
        done, skipped: sources that were colored now, or earlier.
        failed: sources with the reason.
        notes: sentences on pictures that were colored.
    """

    done: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """Exit status: 1 if a picture failed, else 0."""
        return 1 if self.failed else 0


def plan(
    inputs: Iterable[str | os.PathLike[str]], out: str | os.PathLike[str] | None = None
) -> list[Job]:
    """Pair each picture with the file that it becomes.

    Without `out` that is NAME-colored.EXT beside the picture. A folder as input means all the
    pictures in it, at any depth; `out` then is a folder that gets the same tree and names.

    Args:
        inputs: pictures and folders. A path that does not exist becomes a job, which will fail.
        out: a file for one picture; a folder for one picture or more.

    Raises:
        UsageError: no input, `out` is a file but must be a folder, its extension cannot be
            written, or two pictures would become the same file.
    """
    paths = [Path(path) for path in inputs]
    if not paths:
        raise UsageError("no picture given; name one, several, or a folder")
    target = None if out is None else Path(out)
    many = len(paths) > 1 or paths[0].is_dir()
    if target is not None and not many and not _means_folder(target, out):
        if target.suffix.lower() not in WRITABLE:
            raise UsageError(f"cannot write {target}: accepted are {' '.join(WRITABLE)}")
        return [Job(paths[0], target)]
    if target is not None and many and target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file; several pictures need a folder to go to")
    if target is not None and many and target.suffix.lower() in WRITABLE and not target.is_dir():
        raise UsageError(f"{target} is the name of a picture; several pictures need a folder")
    jobs = [job for path in paths for job in _jobs(path, target)]
    if not jobs:
        raise UsageError(f"no picture in {', '.join(map(str, paths))}: looked for {_looked_for()}")
    _check_distinct(jobs)
    return jobs


def run(jobs: list[Job], colorizer: Colorizer) -> Result:
    """Color the pictures one after the other; a failure is named on stderr and does not stop it.

    With more than one picture, a progress bar goes to stderr too.
    """
    from tqdm import tqdm

    result = Result()
    with tqdm(jobs, unit="picture", disable=len(jobs) < 2) as bar:
        for job in bar:
            if job.resume and _is_done(job):
                result.skipped.append(job.source)
                continue
            try:
                job.destination.parent.mkdir(parents=True, exist_ok=True)
                result.notes += colorizer.colorize_file(job.source, job.destination)
                result.done.append(job.source)
            except Exception as error:  # whatever it is, the other pictures are not its fault
                reason = str(error) or type(error).__name__
                result.failed.append((job.source, reason))
                bar.write(
                    reason if str(job.source) in reason else f"{job.source}: {reason}",
                    file=sys.stderr,
                )
    return result


def _means_folder(target: Path, out: str | os.PathLike[str] | None) -> bool:
    return target.is_dir() or os.fspath(out).endswith(("/", os.sep))


def _jobs(path: Path, target: Path | None) -> Iterator[Job]:
    if not path.is_dir():
        yield Job(path, _beside(path) if target is None else target / path.name)
        return
    for source in _walk(path, target):
        if target is None:
            yield Job(source, _beside(source), resume=True)
        else:
            yield Job(source, target / source.relative_to(path), resume=True)


def _walk(folder: Path, target: Path | None) -> Iterator[Path]:
    """The pictures in a folder, sorted, but not our own results, nor anything hidden."""
    own = None if target is None else target.resolve()
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (here / name).resolve() != own
        )
        for name in sorted(names):
            path = here / name
            if path.suffix.lower() in _PICTURES and name[0] != "." and not _is_result(path, names):
                yield path


def _is_result(path: Path, names: list[str]) -> bool:
    """Whether a file is what we made of another one in the same folder."""
    return path.stem.endswith(SUFFIX) and path.stem.removesuffix(SUFFIX) + path.suffix in names


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}{SUFFIX}{path.suffix}")


def _is_done(job: Job) -> bool:
    try:
        return job.destination.stat().st_mtime >= job.source.stat().st_mtime
    except OSError:
        return False


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
    return " ".join(sorted(_PICTURES))
