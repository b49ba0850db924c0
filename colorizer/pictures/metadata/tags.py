"""Directories of tags, as TIFF files and EXIF blocks hold them: read, changed in place, added.

Both orders of bytes, and both sizes: TIFF 6.0 (1992) and BigTIFF. What a directory points to -
values, strips, maker's notes whose own pointers nobody knows - stays where it is.
"""

import io
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Self

__all__ = ["ASCII", "BYTE", "LONG", "RATIONAL", "SHORT", "UNDEFINED", "Directory", "Tag", "Tags"]

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
_LONG8 = 16
_CODES = {  # of struct: one for each number of a value
    1: "B",
    2: "B",
    3: "H",
    4: "I",
    5: "II",
    6: "b",
    7: "B",
    8: "h",
    9: "i",
    10: "ii",
    11: "f",
    12: "d",
    13: "I",
    16: "Q",
    17: "q",
    18: "Q",
}
_POINTERS = (4, 13, 16, 18)
_DEEPEST, _SUBS, _MOST = 4, 64, 100_000  # directories in directories, and pages, of a sane file


@dataclass(frozen=True)
class Tag:
    """A value: its kind (BYTE, ASCII...), and its bytes in little-endian order."""

    kind: int
    data: bytes

    @property
    def numbers(self) -> tuple[Any, ...]:
        """The values; of a rational two numbers each."""
        code = _CODES[self.kind]
        size = struct.calcsize(code[0])
        return struct.unpack(f"<{len(self.data) // size}{code[0]}", self.data)

    @property
    def first(self) -> int | float | None:
        """The first value, if there is one: a number; of a rational the quotient."""
        numbers = self.numbers
        if not numbers:
            return None
        if self.kind in (5, 10):
            return numbers[0] / numbers[1] if len(numbers) > 1 and numbers[1] else None
        return numbers[0]

    @classmethod
    def of(cls, kind: int, *numbers: float) -> Self:
        code = _CODES[kind][0]
        return cls(kind, struct.pack(f"<{len(numbers)}{code}", *numbers))


@dataclass(frozen=True)
class Directory:
    """Tags by number, and where they were found.

    Attributes:
        pointer: the place in the file that says where the directory is.
        following: where the next one of the chain is; 0 if there is none.
        end: the place that says so.
    """

    tags: dict[int, Tag]
    pointer: int
    following: int = 0
    end: int = 0

    def first(self, tag: int, default: Any = None) -> Any:
        """The first number that a tag holds; `default` where it is not there."""
        found = self.tags.get(tag)
        value = None if found is None else found.first
        return default if value is None else value

    def numbers(self, tag: int) -> tuple[Any, ...]:
        return self.tags[tag].numbers if tag in self.tags else ()


class Tags:
    """The directories of an open file.

    Args:
        file: of a TIFF, or of an EXIF block without the "Exif" before it; only reading needs to
            be allowed, until something is changed.

    Raises:
        ValueError: it begins as no TIFF does.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        head = self._read(0, 16)
        self._order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        if not self._order:
            raise ValueError("it begins as no TIFF does")
        magic = self._unpack("H", head[2:4])
        if magic not in (42, 43):
            raise ValueError("it begins as no TIFF does")
        self.is_big = magic == 43
        self._word, self._count = ("Q", "Q") if self.is_big else ("I", "H")
        self._start = 8 if self.is_big else 4

    @classmethod
    def of_block(cls, block: bytes) -> Self:
        """Those of an EXIF block, with or without the "Exif" before it."""
        return cls(io.BytesIO(block.removeprefix(b"Exif\0\0")))

    def chain(self, without: Iterable[int] = ()) -> Iterator[Directory]:
        """The directories one after another; a chain that bites its own tail ends there."""
        pointer, seen = self._start, set()
        while len(seen) < _MOST:
            place = self._unpack(self._word, self._read(pointer, self._width))
            if not place or place in seen:
                return
            seen.add(place)
            found = self.at(pointer, without)
            yield found
            pointer = found.end

    def below(self, directory: Directory, tag: int, without: Iterable[int] = ()) -> list[Directory]:
        """The directories that a tag of another one points to; of damaged numbers none."""
        if tag not in directory.tags or directory.tags[tag].kind not in _POINTERS:
            return []
        start = self._unpack(self._word, self._read(directory.pointer, self._width))
        found = directory.tags[tag]
        step = struct.calcsize(f"<{_CODES[found.kind]}")
        for place, entry in self._entries(start):
            if self._unpack("H", entry[:2]) == tag:
                at = place + 4 + self._width
                if len(found.data) > self._width:
                    at = self._unpack(self._word, entry[4 + self._width :])
                break
        pointers = [at + i * step if step == self._width else 0 for i in range(_SUBS)]
        pairs = zip(found.numbers, pointers, strict=False)
        return [self._parse(place, pointer, frozenset(without)) for place, pointer in pairs]

    def at(self, pointer: int, without: Iterable[int] = ()) -> Directory:
        """The directory to which the bytes at `pointer` point."""
        place = self._unpack(self._word, self._read(pointer, self._width))
        return self._parse(place, pointer, frozenset(without))

    def change(
        self,
        pointer: int,
        changes: Mapping[int, Tag | dict[int, Any] | None],
        following: int | None = None,
    ) -> None:
        """Change a directory; the other entries keep their places, and what they point to.

        Args:
            pointer: see `Directory`.
            changes: tags that take a value, a directory of their own (a dictionary of tags), or,
                None, go.
            following: the place of the next directory, 0 for none; None leaves it as it is.
        """
        start = self._unpack(self._word, self._read(pointer, self._width))
        entries = {self._unpack("H", e[:2]): e for _, e in self._entries(start)}
        before = len(entries)
        if following is None:
            following = self._following(start)
        for tag, value in changes.items():
            if value is None:
                entries.pop(tag, None)
            else:
                entries[tag] = self._entry(tag, value)
        place = start if len(entries) <= before else self._end()
        self._write(place, self._pack(self._count, len(entries)))
        self._file.write(b"".join(entries[tag] for tag in sorted(entries)))
        self._file.write(self._pack(self._word, following))
        self._write(pointer, self._pack(self._word, place))

    def add(self, tags: Mapping[int, Tag | dict[int, Any]], pointer: int = 0) -> int:
        """Add a directory at the end; returns its place.

        Args:
            pointer: the place that will say where it is; 0 leaves that to the caller.
        """
        entries = [self._entry(tag, tags[tag]) for tag in sorted(tags)]
        place = self._end()
        self._write(place, self._pack(self._count, len(entries)) + b"".join(entries))
        self._file.write(self._pack(self._word, 0))
        if pointer:
            self._write(pointer, self._pack(self._word, place))
        return place

    def copy(self, source: BinaryIO, place: int, size: int) -> int:
        """Copy bytes of another file to the end; returns where they are."""
        target = self._end()
        source.seek(place)
        while size > 0:
            piece = source.read(min(size, 1 << 20))
            if not piece:
                raise ValueError("the file is cut off")
            self._file.write(piece)
            size -= len(piece)
        self._size = self._file.tell()
        return target

    def tree(self, directory: Directory, pointers: Iterable[int], depth: int = 0) -> dict[int, Any]:
        """The tags of a directory, with the directories that some of them point to.

        Args:
            pointers: which tags those are; one that points to nonsense is left out.
        """
        tags: dict[int, Any] = dict(directory.tags)
        for tag in set(pointers) & tags.keys():
            try:
                (further,) = self.below(directory, tag)
                tags[tag] = self.tree(further, pointers, depth + 1)
            except ValueError:
                del tags[tag]
                continue
            if depth >= _DEEPEST or not tags[tag]:
                del tags[tag]
        return tags

    @property
    def _width(self) -> int:
        return 8 if self.is_big else 4

    @property
    def _entry_size(self) -> int:
        return 20 if self.is_big else 12

    def _parse(self, start: int, pointer: int, without: frozenset[int] = frozenset()) -> Directory:
        entries = self._entries(start)
        tags = {}
        for _, entry in entries:
            tag, kind = struct.unpack(f"{self._order}HH", entry[:4])
            if kind not in _CODES or tag in without or tag in tags:
                continue
            count = self._unpack(self._word, entry[4 : 4 + self._width])
            size = count * struct.calcsize(f"<{_CODES[kind]}")
            value = entry[4 + self._width :]
            if size > self._width:
                place = self._unpack(self._word, value)
                if place + size > self._size:  # damaged: one tag, not all of them
                    continue
                value = self._read(place, size)
            tags[tag] = Tag(kind, self._swapped(value[:size], kind))
        end = start + len(self._pack(self._count, 0)) + len(entries) * self._entry_size
        return Directory(tags, pointer, self._following(start), end)

    def _entries(self, start: int) -> list[tuple[int, bytes]]:
        head = len(self._pack(self._count, 0))
        count = self._unpack(self._count, self._read(start, head))
        size = self._entry_size
        if not start or start + head + count * size > self._size:
            raise ValueError("a directory is cut off")
        data = self._read(start + head, count * size)
        return [(start + head + at, data[at : at + size]) for at in range(0, count * size, size)]

    def _following(self, start: int) -> int:
        end = start + len(self._pack(self._count, 0)) + len(self._entries(start)) * self._entry_size
        found = self._read(end, self._width)
        return self._unpack(self._word, found) if len(found) == self._width else 0

    def _entry(self, tag: int, value: Tag | dict[int, Any]) -> bytes:
        if isinstance(value, dict):
            value = Tag(LONG, struct.pack("<I", self.add(value)))
        code = _CODES[value.kind]
        count = len(value.data) // struct.calcsize(f"<{code}")
        data = self._swapped(value.data, value.kind)
        if len(data) > self._width:
            place = self._end()
            self._write(place, data)
            data = self._pack(self._word, place)
        head = struct.pack(f"{self._order}HH", tag, value.kind) + self._pack(self._word, count)
        return head + data.ljust(self._width, b"\0")

    def _swapped(self, data: bytes, kind: int) -> bytes:
        size = struct.calcsize(_CODES[kind][0])
        if self._order == "<" or size == 1:
            return data
        numbers = struct.unpack(f"<{len(data) // size}{'BHIQ'[size.bit_length() - 1]}", data)
        return struct.pack(f">{len(numbers)}{'BHIQ'[size.bit_length() - 1]}", *numbers)

    def _end(self) -> int:
        """The end of the file, made even: everything lies at an even place."""
        end = self._file.seek(0, os.SEEK_END)
        if end % 2:
            self._file.write(b"\0")
        return end + end % 2

    def _read(self, place: int, size: int) -> bytes:
        self._file.seek(place)
        return self._file.read(size)

    def _write(self, place: int, data: bytes) -> None:
        self._file.seek(place)
        self._file.write(data)
        self._size = max(self._size, self._file.tell())

    def _unpack(self, code: str, data: bytes) -> int:
        if len(data) != struct.calcsize(f"<{code}"):
            raise ValueError("its directory of tags is cut off")
        return struct.unpack(f"{self._order}{code}", data)[0]

    def _pack(self, code: str, number: int) -> bytes:
        return struct.pack(f"{self._order}{code}", number)
