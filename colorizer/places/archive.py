"""Tar shards of photos: each becomes another shard, which bears our mark."""

import copy
import io
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from colorizer.errors import ColorizerError
from colorizer.pictures.formats import SUFFIXES
from colorizer.pictures.metadata.mark import SYSTEM
from colorizer.places.outputs import result_name

__all__ = ["ARCHIVE", "is_marked_archive", "rewrite"]

ARCHIVE = ".tar"

_MARK = "COLORIZER.AISystemUsed"  # a keyword of the global header, which readers pass over


def is_marked_archive(head: bytes) -> bool:
    """Whether a tar file, of which these are the first bytes, is a result of ours."""
    try:
        with tarfile.open(fileobj=io.BytesIO(head), mode="r:") as shard:
            return shard.pax_headers.get(_MARK, "").startswith(SYSTEM)
    except (tarfile.TarError, EOFError):
        return False


def rewrite(
    before: Path,
    after: Path,
    suffix: str,
    color: Callable[[str, bytes], bytes | None],
    fail: Callable[[str, str], None],
) -> None:
    """Make a shard of another one: photos are colored, other members copied.

    Links to other members become the files that they lead to: a reader of single members needs
    them so, and the names of photos may change.

    Args:
        suffix: of all results, see `result_name`.
        color: gives what a photo of this name becomes; None leaves it out.
        fail: is told of photos that cannot be had.

    Raises:
        ColorizerError: it is no uncompressed tar, or it is cut off.
    """
    try:
        with tarfile.open(before, "r:") as shard:
            names = Counter(result_name(m.name, suffix) for m in shard if _is_photo(m))
            told = {**shard.pax_headers, _MARK: SYSTEM}
            with tarfile.open(after, "w", format=tarfile.PAX_FORMAT, pax_headers=told) as result:
                for member, content in _members(shard):
                    name = result_name(member.name, suffix)
                    if not _is_photo(member):
                        _copy(member, content, shard, result)
                    elif content is None:
                        fail(member.name, f"is a link to {member.linkname}, which is not there")
                    elif names[name] > 1 and name != member.name:
                        fail(member.name, f"would become {name}, as another photo of the shard")
                    elif (data := color(member.name, content.read())) is not None:
                        result.addfile(_plain(member, name, len(data)), io.BytesIO(data))
    except (tarfile.TarError, EOFError) as error:
        raise ColorizerError(f"it is no whole, uncompressed tar shard: {error}") from error


def _members(shard: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """All members, links followed; without content those that have none."""
    for member in shard:
        try:
            yield member, shard.extractfile(member)
        except (KeyError, RecursionError):  # a link out of the shard, or to itself
            yield member, None


def _copy(
    member: tarfile.TarInfo,
    content: IO[bytes] | None,
    shard: tarfile.TarFile,
    result: tarfile.TarFile,
) -> None:
    if content is not None and not (member.isreg() and not member.issparse()):
        size = content.seek(0, io.SEEK_END)
        content.seek(0)
        member = _plain(member, member.name, size)
    else:
        member = copy.copy(member)
        own = member.pax_headers.items() - shard.pax_headers.items()  # which stand at its start
        member.pax_headers = dict(sorted(own))
    result.addfile(member, content)


def _plain(member: tarfile.TarInfo, name: str, size: int) -> tarfile.TarInfo:
    """What stands before a file: as of a member, whatever it was of."""
    about = tarfile.TarInfo(name)
    about.size = size
    for field in ("mtime", "mode", "uid", "gid", "uname", "gname"):
        setattr(about, field, getattr(member, field))
    return about


def _is_photo(member: tarfile.TarInfo) -> bool:
    last = PurePosixPath(member.name)
    named = last.suffix.lower() in SUFFIXES and not last.name.startswith(".")
    return named and not (member.isdir() or member.isdev())
