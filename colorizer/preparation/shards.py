"""Tar shards and other files, written whole or not at all."""

import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from colorizer.errors import ColorizerError
from colorizer.support.files import whole

__all__ = ["read_members", "write_file", "write_shard"]


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """A temporary file to write; see `whole`."""
    try:
        with whole(path) as work:
            yield work
    except OSError as error:
        raise ColorizerError(
            f"{path} cannot be written: {error.strerror}; the same command goes on from here when"
            " that is mended"
        ) from error


def write_file(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all.

    Raises:
        ColorizerError: it cannot be written; what was there before is still there.
    """
    with _written(path) as work:
        work.write_bytes(content)


def write_shard(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write an uncompressed tar (POSIX ustar), the same bytes for the same members.

    Args:
        members: name and content of each.

    Raises:
        ColorizerError: as for `write_file`.
    """
    with _written(path) as work, tarfile.open(work, "w", format=tarfile.USTAR_FORMAT) as shard:
        for name, content in members:
            entry = tarfile.TarInfo(name)  # its time, owner and rights are constants
            entry.size = len(content)
            shard.addfile(entry, BytesIO(content))


def read_members(path: Path, names: Iterable[str]) -> dict[str, bytes]:
    """The content of some members of a shard, by name."""
    wanted, found = set(names), {}
    with tarfile.open(path, "r:") as shard:
        for member in shard:
            if member.name in wanted:
                file = shard.extractfile(member)
                assert file is not None  # it is one that we wrote
                found[member.name] = file.read()
    return found
