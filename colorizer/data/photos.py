"""Where training photos lie: folders of any depth, WebDataset tar shards, stores of shards."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from colorizer.color.has_color import steps_apart
from colorizer.errors import ColorizerError
from colorizer.pictures.decode import decode_bytes
from colorizer.pictures.finding import SUFFIXES, Source, Sources, find_sources, is_picture
from colorizer.pictures.origin import HEAD
from colorizer.support.machine import user_cache
from colorizer.support.patterns import expand_braces
from colorizer.support.stores import is_remote

__all__ = ["Photo", "decode_in_color", "decode_photo", "evenly_spread", "find_photos"]

Photo = Source
"""One photo: a file, or a member of an uncompressed tar shard."""


def find_photos(
    location: str | Path,
    cache: Path | None = None,
    notes: list[str] | None = None,
    share: tuple[int, int] = (0, 1),
) -> list[Photo]:
    """All photos at `location`, sorted by name: what `colorizer prepare` would take for pictures.

    Args:
        location: a folder (searched to any depth for photos and for .tar shards), a shard, or a
            pattern of those such as `photos/train_*.tar` or `photos/train_{000..009}.tar`; or the
            address of shards in a store, such as `s3://bucket/train_{000..999}.tar`.
        cache: a folder for shards of a store; None is one in the user's cache.
        notes: gets sentences on what is left out.
        share: which of how many shares of a store's shards; no other shard is fetched.

    Raises:
        ColorizerError: nothing lies there, or nothing that is a photo, or not all can be searched.
    """
    if is_remote(location):
        from colorizer.data.remote import fetch_shards, find_shards

        urls = find_shards(str(location))[share[0] :: share[1]]
        shards = fetch_shards(urls, cache or user_cache() / "shards")
        return [photo for url, path in shards for photo in _at(path, url, notes)]
    places = [Path(place).expanduser() for place in expand_braces(str(location))]
    return [photo for place in places for photo in _at(place, str(place), notes)]


def evenly_spread(photos: list[Photo], limit: int | None) -> list[Photo]:
    """At most so many of the photos, from all over the list; None takes all."""
    if limit is None or limit >= len(photos):
        return photos
    return [photos[i] for i in np.linspace(0, len(photos) - 1, limit).astype(int)]


def _at(place: Path, known_as: str, notes: list[str] | None) -> list[Photo]:
    """The photos of one place, whose names begin with what it is known as."""
    found = find_sources(place)
    root = place if place.is_dir() else place.parent

    def full(name: str) -> str:
        return os.path.join(root, name).replace(str(place), known_as, 1)

    for name, reason in found.failed:
        raise ColorizerError(f"{full(name)}: {reason}")
    photos = [source for source in found.sources if _is_photo(source)]
    if notes is not None:
        notes += found.notes + _left_out(known_as, found, photos)
    if not photos:
        raise ColorizerError(
            f"no photos at {known_as}: a folder of {', '.join(sorted(SUFFIXES))} files "
            "(any depth) or of .tar shards is needed"
        )
    named = [replace(photo, name=full(photo.name)) for photo in photos]
    return sorted(named, key=lambda photo: photo.path.split(os.sep))  # shards keep their order


def _is_photo(source: Source) -> bool:
    if PurePosixPath(source.name).suffix.lower() in SUFFIXES:
        return True
    try:
        return is_picture(source.name, source.read(HEAD))
    except ColorizerError:
        return False


def _left_out(place: str, found: Sources, photos: list[Photo]) -> list[str]:
    taken = {photo.name for photo in photos}
    others = [source.name for source in found.sources if source.name not in taken]
    kinds = Counter(PurePosixPath(name).suffix.lower() or "without suffix" for name in others)
    parts = [f"{count} {kind}" for kind, count in kinds.most_common(5)]
    parts += [f"{found.hidden} hidden"] if found.hidden else []
    count = len(others) + found.hidden
    return [f"{count} files in {place} are no photos ({', '.join(parts)})"] if count else []


def decode_photo(photo: Photo, short_side: int) -> np.ndarray:
    """Decode a photo to sRGB, upright, its short side at most `short_side` pixels.

    Returns:
        (H, W, 3) uint8; a smaller photo keeps its size.

    Raises:
        ColorizerError: the bytes are no readable picture.
    """
    try:
        return decode_bytes(photo.read(), short_side)[0]
    except ColorizerError as error:
        reason = str(error).removeprefix("it cannot be read: ")
        raise ColorizerError(f"{photo.name} cannot be read: {reason}") from error


def decode_in_color(photo: Photo, short_side: int) -> np.ndarray:
    """As `decode_photo`, of photos that there is something to learn from.

    Raises:
        ColorizerError: as for `decode_photo`; or the photo is gray.
    """
    rgb = decode_photo(photo, short_side)
    if not steps_apart(rgb):
        raise ColorizerError(f"{photo.name} has no color to learn from")
    return rgb
