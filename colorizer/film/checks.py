"""What is refused before a film is looked at: options that would be dropped, taken places."""

import os
from pathlib import Path

from colorizer.errors import UsageError
from colorizer.options import FilmOptions

__all__ = ["check_options", "check_places"]


def check_options(options: FilmOptions, path: Path) -> None:
    """Refuse what would be dropped, and a report that could not be written after the work."""
    if str(path) == "-":
        raise UsageError("a film cannot be written into a pipe; give a file")
    if options.preview:
        of_all = ("report", "hints", "reference", "shots", "drop")
        given = [name for name in of_all if getattr(options, name) is not None]
        given += ["keep-color"] * options.keep_color
        if given:
            flags = " and ".join(f"--{name}" for name in given)
            raise UsageError(f"{flags}: not of a preview; leave out --preview, or {flags}")
        if not path.suffix:
            raise UsageError(f"a preview is a film; give {path} an extension, such as .mp4")
    if options.report is not None:
        report = Path(options.report)
        if report.is_dir() or not report.parent.is_dir():
            what = "is a folder" if report.is_dir() else "is in no folder that exists"
            raise UsageError(f"the report {report} {what}; give the name of a JSON file")
        if not os.access(report if report.exists() else report.parent, os.W_OK):
            raise UsageError(f"the report {report} cannot be written there; give another place")
        if isinstance(options.shots, str | os.PathLike) and (
            report.resolve() == Path(options.shots).resolve()
        ):
            raise UsageError(f"{report} cannot be the list of shots and the report; give two names")
        if report.resolve() == path.resolve():
            raise UsageError(f"{path} cannot be the film and its report; give two names")


def check_places(source: Path, path: Path, overwrite: bool) -> None:
    """Refuse an output that is the film itself, is taken, or has no folder to lie in."""
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no folder; make it first")
    if not path.exists():
        return
    if source.exists() and path.samefile(source):
        raise UsageError(f"{path} is the film itself; give the output another name")
    if path.is_dir():
        if path.suffix:
            raise UsageError(f"{path} is a folder; give the output the name of a file")
        if any(path.iterdir()):
            raise UsageError(f"{path} is a folder with files in it; give one that is new or empty")
    elif not path.suffix:
        raise UsageError(f"{path} is a file; give a folder that is new, or an extension")
    elif not overwrite:
        raise UsageError(f"{path} exists; give another name, or add --overwrite to replace it")
