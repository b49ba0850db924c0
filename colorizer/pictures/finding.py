"""What lies in a place: every file of a folder tree and of the tar shards in it, by its name."""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from colorizer.errors import ColorizerError
from colorizer.pictures import formats
from colorizer.pictures.formats.raw import Raw
from colorizer.support.tree import walk

__all__ = ["SUFFIXES", "Source", "Sources", "find_sources", "is_picture"]


SUFFIXES = formats.SUFFIXES - set(Raw.suffixes)
"""What a picture's name ends with, in lower case; raw photos are none."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or a member of an uncompressed tar.

    Attributes:
        name: relative to the place that was searched, with `/`; of a member TAR/MEMBER.
        path: the file that holds it.
        offset, length: of its bytes therein; all of the file if `length` is -1.
    """

    name: str
    path: str
    offset: int = 0
    length: int = -1

    def read(self, most: int = -1) -> bytes:
        """The encoded bytes, or the first of them; raises ColorizerError with the reason."""
        length = self.length if most < 0 else most if self.length < 0 else min(most, self.length)
        try:
            if not os.path.isfile(self.path) and os.path.exists(self.path):
                raise ColorizerError("it is a device or a pipe, not a file")
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                encoded = file.read(length)
        except OSError as error:
            raise ColorizerError(f"it cannot be read: {error.strerror}") from error
        if self.length >= 0 and len(encoded) < length:
            raise ColorizerError("its shard is cut off")
        return encoded


@dataclass
class Sources:
    """What `find_sources` found.

    Attributes:
        sources: in no particular order.
        failed: places that could not be searched, with the reason.
        notes: sentences on what was passed by.
        hidden: how many files were passed by because their names begin with a dot, such as the
            `._photo.jpg` of a Mac.
    """

    sources: list[Source] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hidden: int = 0


def find_sources(location: str | os.PathLike[str], leave_out: Path | None = None) -> Sources:
    """All files at `location`, but for hidden ones: a folder, a tar, a file, or a pattern of those.

    Args:
        leave_out: a folder that is not entered.

    Raises:
        ColorizerError: there is no such place.
    """
    place = Path(location).expanduser()
    found = Sources()
    if place.is_dir():
        _search(place, place, leave_out, found)
    elif any(sign in place.name for sign in "*?[") and not place.exists():
        for path in sorted(place.parent.glob(place.name)):
            if path.is_dir():
                _search(path, place.parent, leave_out, found)
            else:
                _add(path, path.name, found)
    elif place.exists():
        _add(place, place.name, found)
    if not found.sources and not found.failed:
        raise ColorizerError(
            f"no photos at {location}: a folder of pictures (any depth) or of .tar shards, a"
            " shard, or a pattern of shards is needed"
        )
    return found


def _search(folder: Path, root: Path, own: Path | None, found: Sources) -> None:
    links = 0
    for entry in walk(folder, own, links=False):
        name = _relative(entry.path, root)
        if entry.failed:
            found.failed.append((name, entry.failed.rpartition(": ")[2]))
        elif entry.passed == "hidden":
            found.hidden += 1
        elif entry.passed:
            links += entry.path.is_symlink()
        else:
            _add(entry.path, name, found)
    if links:
        found.notes.append(f"{links} links to folders in {folder} were not followed")


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _add(path: Path, name: str, found: Sources) -> None:
    if path.suffix.lower() != ".tar":
        found.sources.append(Source(name, str(path)))
        return
    try:
        for member in _members(path):
            if not member.isfile():
                continue
            if PurePosixPath(member.name).name.startswith("."):
                found.hidden += 1
                continue
            inner = f"{name}/{member.name}"
            found.sources.append(Source(inner, str(path), member.offset_data, member.size))
    except (tarfile.TarError, EOFError) as error:
        found.failed.append((name, f"it is no uncompressed tar, or cut off: {error}"))
    except OSError as error:
        found.failed.append((name, f"it cannot be read: {error.strerror}"))


def _members(path: Path) -> Iterator[tarfile.TarInfo]:
    with tarfile.open(path, "r:") as shard:
        while (member := shard.next()) is not None:
            shard.members.clear()  # tarfile would keep them all
            yield member


def is_picture(name: str, head: bytes) -> bool:
    """Whether a file is a picture, or claims to be one by its name: then it must be readable.

    Args:
        head: its first `HEAD` bytes or more; they count for more than the name.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in Raw.suffixes:  # most are TIFF by their first bytes, with a small preview
        return False
    return suffix in SUFFIXES or not isinstance(formats.format_of(head), Raw | None)
