"""One photo or one tar shard, from place to place: the work that every engine hands out."""

import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path, PurePosixPath
from typing import Any

from colorizer.errors import ColorizerError
from colorizer.inference.colorizer import Colorizer
from colorizer.pictures.formats import becoming, identified
from colorizer.pictures.picture import Picture
from colorizer.places.archive import ARCHIVE, rewrite
from colorizer.places.outputs import result_name
from colorizer.places.place import Place, place_of
from colorizer.places.plan import Item
from colorizer.places.replaceable import check_replaceable
from colorizer.places.table import Row
from colorizer.support.stores import fetch

__all__ = ["Share", "color_item"]

Share = Callable[[Picture, Path], AbstractContextManager[tuple[dict[str, Any], tuple[str, ...]]]]
"""Gives a photo its place in memory: options to color it with, and notes."""


def color_item(
    item: Item,
    colorizer: Colorizer,
    overwrite: bool = False,
    share: Share = lambda *_: nullcontext(({}, ())),
) -> list[Row]:
    """Color a photo, or all photos of a shard; whatever goes wrong is a row.

    Args:
        item: which.
        colorizer: to color with.
        overwrite: replace a file too that is no result of ours.
        share: waits until a photo fits into memory, see `Budget.share`.
    """
    start, size = time.perf_counter(), ""
    try:
        if item.problem:
            raise ColorizerError(item.problem)
        source, target = place_of(item.source), place_of(item.target)
        if not overwrite:
            check_replaceable(target, source)
        if source.suffix == ARCHIVE:
            return _color_archive(item, target, colorizer, share)
        if source.is_local and target.is_local:
            picture = Picture.open(source.path, colorizer.options.max_pixels)
            size = f"{picture.width}x{picture.height}"
            target.path.parent.mkdir(parents=True, exist_ok=True)
            with share(picture, target.path) as (options, notes):
                own = _own(colorizer, item, options)
                notes += own.colorize_file(picture, target.path)
        else:
            data = source.read()
            extension = target.suffix or item.suffix or _extension(data)
            picture = Picture.open(data, colorizer.options.max_pixels)
            size = f"{picture.width}x{picture.height}"
            colored, notes = _color(picture, extension, item, colorizer, share)
            target.write(colored)
        return [Row(item.name, "colored", "", size, time.perf_counter() - start, notes)]
    except Exception as error:  # whatever it is, the other photos are not its fault
        seconds = time.perf_counter() - start
        return [Row(item.name, "failed", _reason(error, item.source), size, seconds)]


def _own(colorizer: Colorizer, item: Item, options: dict[str, Any]) -> Colorizer:
    own = options | ({"colors_from": item.colors_from} if item.colors_from else {})
    if not own and item.variant == colorizer.options.variant:
        return colorizer
    return colorizer.with_options(variant=item.variant, **own)


def _color(
    picture: Picture, extension: str, item: Item, colorizer: Colorizer, share: Share
) -> tuple[bytes, tuple[str, ...]]:
    with share(picture, Path(f"picture{extension}")) as (options, notes):
        colored, more = _own(colorizer, item, options).colorize_bytes(picture, extension)
    last = PurePosixPath(item.source).name
    known = last if last != "-" else "the picture"
    return colored, tuple(note.replace("the picture", known) for note in notes + more)


def _color_archive(item: Item, target: Place, colorizer: Colorizer, share: Share) -> list[Row]:
    """All photos of a tar shard into another one; those that cannot be colored are left out."""
    rows: list[Row] = []

    def fail(name: str, reason: str, seconds: float = 0.0) -> None:
        rows.append(Row(f"{item.name}/{name}", "failed", reason, "", seconds))

    def color(name: str, data: bytes) -> bytes | None:
        start, member = time.perf_counter(), f"{item.source}/{name}"
        try:
            picture = Picture.open(data, colorizer.options.max_pixels)
            extension = PurePosixPath(result_name(name, item.suffix)).suffix
            one = item._replace(source=member)
            colored, notes = _color(picture, extension, one, colorizer, share)
        except Exception as error:  # as above
            fail(name, _reason(error, member), time.perf_counter() - start)
            return None
        size, seconds = f"{picture.width}x{picture.height}", time.perf_counter() - start
        rows.append(Row(f"{item.name}/{name}", "colored", "", size, seconds, notes))
        return colored

    with tempfile.TemporaryDirectory(prefix="colorizer-") as folder:
        before, after = Path(folder, "before.tar"), Path(folder, "after.tar")
        own = place_of(item.source)
        if own.is_local:
            own.look(0, 1)  # which says why it cannot be had
            before = own.path
        else:
            fetch(item.source, before)
        rewrite(
            before,
            after,
            item.suffix,
            color,
            lambda name, why: fail(name, f"{item.source}/{name} {why}"),
        )
        if any(row.status == "colored" for row in rows) or not rows:
            target.write(after)
    return rows or [Row(item.name, "colored", notes=("it holds no photos",))]


def _extension(data: bytes) -> str:
    return becoming(identified(data))


def _reason(error: Exception, source: str) -> str:
    """With the address, which those who saw bytes alone did not know."""
    told = str(error) or type(error).__name__
    if source in told or source == "-":
        return told
    if told.startswith("the picture "):
        return told.replace("the picture", source, 1)
    return f"{source}: {told}"
