"""Many pictures: which file becomes which, and what of them is no work to do."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.folders.walk import SUFFIX, walk
from colorizer.pictures.formats import SUFFIXES, WRITABLE, becoming, format_of, result_suffix
from colorizer.pictures.source import head_of
from colorizer.support.shares import falls_to, share_of

__all__ = [
    "Job",
    "one_picture",
    "plan",
    "report_path",
    "shard",
    "share_name",
    "writable",
]

_LONGEST = 255  # bytes of a file's name, on all common file systems


@dataclass(frozen=True)
class Job:
    """One picture to color, or an entry of a folder that is none.

    Attributes:
        source, destination: paths.
        name: of the picture, relative to the folder that was given; the same on all machines.
        resume: leave out the picture if the destination is a result no older than the source.
        variant: which coloring, see `Colorizer`.
        passed: why it is no picture; empty if it is one.
        problem: why it will fail; empty if nothing is known.
    """

    source: Path
    destination: Path
    name: str
    resume: bool = False
    variant: int = 1
    passed: str = ""
    problem: str = ""


def plan(
    inputs: Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str] | None = None,
    variants: int = 1,
    format: str | None = None,
) -> list[Job]:
    """Pair each picture with the file that it becomes, or with the files of its variants.

    Without `out` that is NAME-colored.EXT beside the picture. A folder as input means all the
    pictures in it, at any depth; `out` then is a folder that gets the same tree and names. What
    can be read but not written, as HEIC, becomes PNG or TIFF. Each entry of a folder becomes a
    job, also if it is no picture.

    Args:
        inputs: pictures, folders, and patterns such as `scans/*.tif`. A path that does not exist
            becomes a job, which will fail.
        out: a file for one picture; a folder for one picture or more.
        variants: above 1, each picture becomes NAME-1.EXT, NAME-2.EXT and so on.
        format: the extension of all results, such as "png"; None keeps those of the pictures.

    Raises:
        UsageError: no input, `out` is a file but must be a folder or is the folder of the input,
            or an extension cannot be written.
    """
    if not 1 <= variants <= 100:
        raise UsageError(f"variants is {variants!r}; accepted are whole numbers from 1 to 100")
    suffix = _suffix(format)
    given = list(inputs)
    paths = [path for name in given for path in _expanded(name)]
    if not paths:
        raise UsageError("no picture given; name one, several, or a folder")
    target = None if out is None else Path(out)
    many = len(paths) > 1 or paths[0].is_dir() or paths[0] != Path(given[0])
    if target is not None and not many and not _means_folder(target, out):
        if target.suffix.lower() not in WRITABLE:
            raise UsageError(f"cannot write {target}: accepted are {' '.join(WRITABLE)}")
        return _checked(_vary([Job(paths[0], target, str(paths[0]))], variants))
    if target is not None and many and target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file; several pictures need a folder to go to")
    if target is not None and many and target.suffix.lower() in WRITABLE and not target.is_dir():
        raise UsageError(f"{target} is the name of a picture; several pictures need a folder")
    for path in paths:
        if target is not None and path.is_dir() and target.resolve() == path.resolve():
            raise UsageError(
                f"{target} is the folder of the pictures themselves; name another one, or leave it"
                f" out for NAME{SUFFIX}.EXT beside each"
            )
    jobs = [job for path in paths for job in _jobs(path, target, suffix)]
    if not any(not job.passed for job in jobs):
        raise UsageError(f"no picture in {', '.join(map(str, paths))}: looked for {_looked_for()}")
    return _checked(_vary(jobs, variants))


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


def share_name(jobs: list[Job], part: str | None = None) -> str:
    """Which share `shard` gives, as `i/n`."""
    own, count = _share(jobs, part)
    return f"{own}/{count}"


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
    sources = {job.source for job in jobs if not job.passed}
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


def _expanded(name: str | os.PathLike[str]) -> list[Path]:
    """The paths that a pattern stands for, which cmd.exe leaves to programs to find."""
    path = Path(name)
    if not glob.has_magic(str(name)) or os.path.lexists(path):
        return [path]
    found = sorted(glob.glob(str(name), recursive=True))
    if not found:
        raise UsageError(f"nothing fits the pattern {name}")
    return [Path(each) for each in found]


def _suffix(format: str | None) -> str:
    suffix = f".{format.lower().removeprefix('.')}" if format else ""
    if suffix and suffix not in WRITABLE:
        raise UsageError(f"cannot write {suffix}; accepted are {' '.join(WRITABLE)}")
    return suffix


def _jobs(path: Path, target: Path | None, suffix: str) -> Iterator[Job]:
    if not path.is_dir():
        made = _result(path, path.name)
        made = f"{Path(made).stem}{suffix or Path(made).suffix}"
        yield Job(path, _beside(path, made) if target is None else target / made, str(path))
        return
    for entry in walk(path, target):
        name = entry.path.relative_to(path)
        known = {"passed": entry.passed, "problem": entry.failed}
        if entry.passed or entry.failed:
            yield Job(entry.path, entry.path, name.as_posix(), True, **known)  # ty: ignore[invalid-argument-type]
            continue
        made = _result(entry.path, name.name)
        made = f"{Path(made).stem}{suffix or Path(made).suffix}"
        beside = _beside(entry.path, made)
        destination = beside if target is None else target / name.with_name(made)
        yield Job(entry.path, destination, name.as_posix(), resume=True)


def _result(source: Path, name: str) -> str:
    """The name of a picture with an extension that can be written."""
    path = writable(Path(name))
    if path.suffix.lower() in WRITABLE:
        return path.name
    try:
        format = format_of(head_of(source))
    except ColorizerError:  # which coloring will say again
        format = None
    return f"{path.name}{becoming(format)}"


def _vary(jobs: list[Job], variants: int) -> list[Job]:
    if variants == 1:
        return jobs
    nothing = [job for job in jobs if job.passed or job.problem]
    return nothing + [
        replace(
            job,
            destination=job.destination.with_name(
                f"{job.destination.stem}-{variant}{job.destination.suffix}"
            ),
            variant=variant,
        )
        for job in jobs
        if not (job.passed or job.problem)
        for variant in range(1, variants + 1)
    ]


def _beside(path: Path, made: str) -> Path:
    return path.with_name(f"{Path(made).stem}{SUFFIX}{Path(made).suffix}")


def writable(path: Path) -> Path:
    """The path, but that what can be read and not written, as HEIC, becomes what can."""
    found = result_suffix(path)
    return path if found in ("", path.suffix.lower()) else path.with_suffix(found)


def _checked(jobs: list[Job]) -> list[Job]:
    """The jobs; those that would become one file, or one with too long a name, with the problem."""
    jobs = list(dict.fromkeys(jobs))
    work = [job for job in jobs if not job.passed and not job.problem]
    places = {id(job): os.path.normcase(os.path.abspath(job.destination)) for job in work}
    count = Counter(places.values())
    sources: dict[str, list[Path]] = {}
    for job in work:
        if count[places[id(job)]] > 1:
            sources.setdefault(places[id(job)], []).append(job.source)
    return [
        replace(job, problem=_problem(job, sources.get(places.get(id(job), ""), [])))
        for job in jobs
    ]


def _problem(job: Job, rivals: list[Path]) -> str:
    if rivals:
        names = " and ".join(map(str, rivals[:3]))
        return f"{names} would become the same {job.destination}; color them into two folders"
    size = len(os.fsencode(job.destination.name))
    if size > _LONGEST and not job.passed:
        return f"{job.source}: the name of its result has {size} bytes, more than {_LONGEST}"
    return job.problem


def _looked_for() -> str:
    return " ".join(sorted(SUFFIXES))
