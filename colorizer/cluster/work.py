"""One photo or one tar shard, from store to store: the work that every engine hands out."""

import copy
import io
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from colorizer.cluster.plan import SHARD, Item, result_name
from colorizer.errors import ColorizerError
from colorizer.inference.colorizer import Colorizer
from colorizer.pictures.formats import SUFFIXES
from colorizer.pictures.picture import Picture
from colorizer.support.stores import Store, fetch, read

__all__ = ["Row", "color_item"]

# Gives a photo its place in memory: options to color it with, and notes.
Share = Callable[[Picture, Path], AbstractContextManager[tuple[dict[str, Any], tuple[str, ...]]]]


class Row(NamedTuple):
    """What became of a photo: a row of the report.

    Attributes:
        path: its name.
        status: colored, skipped or failed.
        reason: of a failure; or notes on what was colored.
        size: in pixels.
        seconds: that reading, coloring and writing took.
    """

    path: str
    status: str
    reason: str = ""
    size: str = ""
    seconds: float = 0.0


def color_item(
    item: Item, out: Store, colorizer: Colorizer, share: Share = lambda *_: nullcontext(({}, ()))
) -> list[Row]:
    """Color a photo, or all photos of a shard, into a store; whatever goes wrong is a row.

    Args:
        item: which.
        out: gets the result, under `result_name`.
        colorizer: to color with.
        share: waits until a photo fits into memory, see `Budget.share`.
    """
    start = time.perf_counter()
    try:
        if item.name.lower().endswith(SHARD):
            return _color_shard(item, out, colorizer, share)
        name = result_name(item.name)
        colored, notes, size = _color(
            read(item.source), item.source, PurePosixPath(name).suffix, colorizer, share
        )
        out.write(name, colored)
        return [Row(item.name, "colored", "; ".join(notes), size, time.perf_counter() - start)]
    except Exception as error:  # whatever it is, the other photos are not its fault
        seconds = time.perf_counter() - start
        return [Row(item.name, "failed", _reason(error, item.source), seconds=seconds)]


def _color(
    data: bytes, source: str, extension: str, colorizer: Colorizer, share: Share
) -> tuple[bytes, tuple[str, ...], str]:
    picture = Picture.open(data, colorizer.options.max_pixels)
    with share(picture, Path(f"picture{extension}")) as (options, notes):
        own = colorizer.with_options(**options) if options else colorizer
        colored, more = own.colorize_bytes(picture, extension)
    named = tuple(note.replace("the picture", PurePosixPath(source).name) for note in notes + more)
    return colored, named, f"{picture.width}x{picture.height}"


def _color_shard(item: Item, out: Store, colorizer: Colorizer, share: Share) -> list[Row]:
    """All photos of a tar shard into one of the same name; its other members are copied.

    Photos that cannot be colored are left out of it, and are rows.
    """
    rows = []
    with tempfile.TemporaryDirectory(prefix="colorizer-") as folder:
        before, after = Path(folder, "before.tar"), Path(folder, "after.tar")
        fetch(item.source, before)
        try:
            with tarfile.open(before, "r:") as shard, tarfile.open(after, "w") as result:
                for member in shard:
                    content = shard.extractfile(member)
                    if content is None or not _is_photo(member.name):
                        result.addfile(member, content)
                    else:
                        row, data = _color_member(item, member, content.read(), colorizer, share)
                        rows.append(row)
                        if data is not None:
                            _add(result, member, data)
        except tarfile.TarError as error:
            raise ColorizerError(f"it is no whole, uncompressed tar shard: {error}") from error
        if any(row.status == "colored" for row in rows) or not rows:
            out.put(item.name, after)
    return rows or [Row(item.name, "colored", "it holds no photos")]


def _color_member(
    item: Item, member: tarfile.TarInfo, data: bytes, colorizer: Colorizer, share: Share
) -> tuple[Row, bytes | None]:
    start, name = time.perf_counter(), f"{item.name}/{member.name}"
    try:
        extension = PurePosixPath(result_name(member.name)).suffix
        colored, notes, size = _color(data, member.name, extension, colorizer, share)
        told = "; ".join(notes)
        return Row(name, "colored", told, size, time.perf_counter() - start), colored
    except Exception as error:  # as above
        return Row(name, "failed", _reason(error, f"{item.source}/{member.name}")), None


def _add(shard: tarfile.TarFile, member: tarfile.TarInfo, data: bytes) -> None:
    about = copy.copy(member)
    about.name, about.size = result_name(member.name), len(data)
    about.pax_headers = {}  # which may hold the old name and size
    shard.addfile(about, io.BytesIO(data))


def _is_photo(name: str) -> bool:
    last = PurePosixPath(name)
    return last.suffix.lower() in SUFFIXES and not last.name.startswith(".")


def _reason(error: Exception, source: str) -> str:
    """With the address, which those who saw bytes alone did not know."""
    told = str(error) or type(error).__name__
    if source in told:
        return told
    if told.startswith("the picture "):
        return told.replace("the picture", source, 1)
    return f"{source}: {told}"
