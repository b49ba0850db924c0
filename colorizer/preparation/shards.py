"""Tar shards and other files, written whole or not at all."""

import os
import tarfile
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from colorizer.errors import ColorizerError

__all__ = ["read_members", "write_shard", "write_whole"]


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name, and rename it when it lies safely on the disk.

    Raises:
        ColorizerError: it cannot be written; what was there before is still there.
    """
    beside = path.with_name(f".{path.name}.partial")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        _sync_folder(path.parent)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ColorizerError(
            f"{path} cannot be written: {error.strerror}; the same command goes on from here when"
            " that is mended"
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make a renaming outlast a power cut, where folders can be synchronized."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_shard(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write an uncompressed tar (POSIX ustar), the same bytes for the same members.

    Args:
        members: name and content of each.
    """

    def write(file: BinaryIO) -> None:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as shard:
            for name, content in members:
                entry = tarfile.TarInfo(name)  # its time, owner and rights are constants
                entry.size = len(content)
                shard.addfile(entry, BytesIO(content))

    write_whole(path, write)


def read_members(path: Path, names: Iterable[str]) -> dict[str, bytes]:
    """The content of some members of a shard, by name."""
    wanted, found = set(names), {}
    with tarfile.open(path, "r:") as shard:
        for member in shard:
            if member.name in wanted:
                found[member.name] = shard.extractfile(member).read()
    return found
