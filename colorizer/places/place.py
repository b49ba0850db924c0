"""Where photos lie and results go: a folder or a file, on this machine, in a store, or a stream."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from colorizer.errors import ColorizerError
from colorizer.pictures.formats import SUFFIXES, format_of
from colorizer.pictures.metadata.mark import bears_mark, is_marked
from colorizer.pictures.origin import HEAD
from colorizer.places.archive import ARCHIVE, is_marked_archive
from colorizer.places.outputs import original_of
from colorizer.support.files import temporary, whole
from colorizer.support.patterns import expand
from colorizer.support.stores import Store, is_remote, look, read
from colorizer.support.tree import walk

__all__ = [
    "Bucket",
    "Found",
    "Place",
    "Stream",
    "check_replaceable",
    "find_all",
    "place_of",
]


class Found(NamedTuple):
    """What lies in a folder.

    Attributes:
        name: relative to the folder, with `/`.
        modified: when it changed, in seconds since 1970; 0 if that is not known.
        passed: why it is no photo to color; empty if it is one.
        problem: why it could not be looked at.
    """

    name: str
    modified: float = 0.0
    passed: str = ""
    problem: str = ""


class Place:
    """What a path is, wherever it lies; this class is of paths of this machine.

    Args:
        address: a path, or a URL.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.path = Path(address)

    def __truediv__(self, name: str) -> "Place":
        return Place(str(self.path / name))

    @property
    def suffix(self) -> str:
        """As of a path, in lower case."""
        return PurePosixPath(self.address).suffix.lower()

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine, so that `path` leads there."""
        return type(self) is Place

    def is_folder(self) -> bool:
        """Whether it holds files; of a store, its name tells."""
        return self.path.is_dir()

    def modified(self) -> float | None:
        """When the file changed, in seconds since 1970, 0 if unknown; None if there is none."""
        with suppress(OSError):
            return self.path.stat().st_mtime
        return 0.0 if os.path.lexists(self.path) else None

    def results(self, among: set[str]) -> dict[str, float] | None:
        """When files of these addresses changed, from one listing; None: each is asked for it."""
        return None

    def is_ours(self) -> bool | None:
        """Whether a result of ours is there, by its mark; None if nothing is there.

        Raises:
            ColorizerError: that cannot be told.
        """
        try:
            if self.suffix == ARCHIVE:
                return is_marked_archive(self.look(0, 1 << 16))
            return bears_mark(self.look)
        except ColorizerError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            return False if self.is_local and self.path.is_symlink() else None

    def folds_case(self) -> bool:
        """Whether names here that differ in case only are names of one file."""
        folder = next(path for path in (self.path, *self.path.absolute().parents) if path.is_dir())
        with suppress(OSError), temporary(folder / "x", "-Aa") as path:
            return path.with_name(path.name.swapcase()).exists()
        return False

    def look(self, first: int, last: int | None) -> bytes:
        """Some bytes of the file, see `bears_mark`; raises ColorizerError if it cannot be had."""
        try:
            with self.path.open("rb") as file:
                file.seek(first if first >= 0 else max(0, file.seek(0, os.SEEK_END) + first))
                return file.read(-1 if last is None else last - first)
        except FileNotFoundError as error:
            raise ColorizerError(f"there is no file {self.path}") from error
        except OSError as error:
            raise ColorizerError(f"{self.path} cannot be read: {error.strerror}") from error

    def read(self) -> bytes:
        """All bytes of the file; raises ColorizerError if it cannot be had."""
        return self.look(0, None)

    def write(self, content: bytes | Path) -> None:
        """Make the file of bytes or of another file, whole or not at all; ColorizerError if not."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with whole(self.path) as work:
                if isinstance(content, bytes):
                    work.write_bytes(content)
                else:
                    shutil.copyfile(content, work)
        except OSError as error:
            raise ColorizerError(f"{self.path} cannot be written: {error.strerror}") from error

    def what_it_is(self, archives: bool, siblings: frozenset[str] = frozenset()) -> tuple[str, str]:
        """Why a file is no photo to color, or why it cannot be looked at; empty, if it is one.

        Args:
            archives: take tar shards for photos.
            siblings: the names of the files beside it.
        """
        if archives and self.suffix == ARCHIVE:
            return "", ""
        if (original := original_of(self.path.name, siblings)) and is_marked(self.path):
            return f"what was made of {original}", ""
        if self.suffix in SUFFIXES:
            return "", ""
        if self.path.exists() and not self.path.is_file():
            return "a device or a pipe", ""
        try:
            known = format_of(self.look(0, HEAD))
        except ColorizerError as error:
            return "", str(error)
        return "" if known else "no picture of a known format", ""

    def find(self, without: "Place | None", archives: bool) -> Iterator[Found]:
        """All files of the folder at any depth.

        Args:
            without: a folder in it that is passed over.
            archives: see `what_it_is`.

        Raises:
            ColorizerError: it cannot be listed.
        """
        for entry in walk(self.path, without.path if without and without.is_local else None):
            name = entry.path.relative_to(self.path).as_posix()
            passed, problem = entry.passed, entry.failed
            if not passed and not problem:
                passed, problem = Place(str(entry.path)).what_it_is(archives, entry.siblings)
            yield Found(name, 0.0, passed, problem)

    def contains(self, other: "Place") -> bool:
        """Whether another place lies in this folder, or is it, whatever ways lead to them."""
        if not (self.is_local and other.is_local):
            return False
        return Path(os.path.realpath(other.path)).is_relative_to(os.path.realpath(self.path))


class Bucket(Place):
    """A URL: a folder or a file of a store."""

    def __init__(self, address: str) -> None:
        self.address = address

    def __truediv__(self, name: str) -> "Bucket":
        return Bucket(f"{self.address.rstrip('/')}/{name}")

    def is_folder(self) -> bool:
        return self.address.endswith("/") or self.suffix not in (*SUFFIXES, ARCHIVE)

    def modified(self) -> float:
        return 0.0

    def results(self, among: set[str]) -> dict[str, float]:
        store = Store(self.address)
        found = store.find() if store.exists() else ()
        named = ((store.address(name), modified) for name, modified in found)
        return {address: modified for address, modified in named if address in among}

    def folds_case(self) -> bool:
        return False

    def look(self, first: int, last: int | None) -> bytes:
        return look(self.address, first, last)

    def read(self) -> bytes:
        return read(self.address)

    def write(self, content: bytes | Path) -> None:
        folder, _, name = self.address.rpartition("/")
        Store(folder).write(name, content)

    def what_it_is(self, archives: bool, siblings: frozenset[str] = frozenset()) -> tuple[str, str]:
        taken = self.suffix in SUFFIXES or (archives and self.suffix == ARCHIVE)
        return "" if taken else "not named as a picture", ""

    def find(self, without: Place | None, archives: bool) -> Iterator[Found]:
        own = Store(without.address) if isinstance(without, Bucket) else None
        for name, modified in Store(self.address).find(without=own):
            yield Found(name, modified, *Bucket(f"/{name}").what_it_is(archives))

    def contains(self, other: Place) -> bool:
        return isinstance(other, Bucket) and Store(other.address) in Store(self.address)


class Stream(Place):
    """Standard input, read once, and standard output."""

    def is_folder(self) -> bool:
        return False

    def is_ours(self) -> None:
        return None

    def look(self, first: int, last: int | None) -> bytes:
        return self.read()[first:last]

    def read(self) -> bytes:
        if not (data := _all_of(sys.stdin.buffer)):
            raise ColorizerError("there is nothing at standard input")
        return data

    def write(self, content: bytes | Path) -> None:
        assert isinstance(content, bytes)  # an archive needs a name
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


def place_of(address: str | os.PathLike[str]) -> Place:
    """The place of an address: a path, a URL, or "-" for standard input and output."""
    text = os.fspath(address)
    if text == "-":
        return Stream(text)
    if not is_remote(text):
        return Place(text)
    scheme, _, path = text.partition("://")
    return Place(path) if scheme.lower() in ("file", "local") else Bucket(text)


def find_all(place: Place) -> list[Place]:
    """A place itself; or all that it stands for, if it is a pattern; raises ColorizerError."""
    if isinstance(place, Stream):
        return [place]
    found = expand(place.address)
    return [place] if found == [place.address] else [place_of(address) for address in found]


def check_replaceable(target: Place, source: Place | None = None) -> None:
    """Raise ColorizerError where a file is that is no result of ours, or is the source itself."""
    ours = target.is_ours()
    if ours is None:
        return
    if not ours:
        raise ColorizerError(
            f"{target.address} is there already and bears no mark of ours, so it is not replaced;"
            " name another output, or say --overwrite"
        )
    if source is not None and _same(source, target):
        raise ColorizerError(
            f"{source.address} would be replaced by its own result; name another output, or say"
            " --overwrite"
        )


def _same(one: Place, other: Place) -> bool:
    if one.is_local and other.is_local:
        with suppress(OSError):
            return one.path.samefile(other.path)
    return one.contains(other) and other.contains(one)


@cache
def _all_of(stream: BinaryIO) -> bytes:
    return stream.read()
