"""Where training photos lie: folders of any depth, and WebDataset tar shards."""

import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from colorizer.data.decode import decode_bytes
from colorizer.errors import ColorizerError
from colorizer.support.machine import user_cache
from colorizer.support.stores import expand_braces, is_remote

__all__ = ["SUFFIXES", "Photo", "decode", "find_photos"]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif"})
"""What counts as a photo, by its lower-case suffix."""


@dataclass(frozen=True)
class Photo:
    """One photo: a file, or a member of an uncompressed tar shard."""

    name: str
    path: Path
    offset: int = 0
    length: int = -1

    def read(self) -> bytes:
        """The encoded bytes."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length)


def find_photos(location: str | Path, cache: Path | None = None) -> list[Photo]:
    """All photos at `location`, sorted by name.

    Args:
        location: a folder (searched to any depth for photos and for .tar shards), a shard, or a
            pattern of those such as `photos/train_*.tar` or `photos/train_{000..009}.tar`; or the
            address of shards in a store, such as `s3://bucket/train_{000..999}.tar`.
        cache: a folder for shards of a store; None is one in the user's cache.

    Raises:
        ColorizerError: nothing lies there, or nothing that is a photo.
    """
    if is_remote(location):
        from colorizer.data.remote import fetch_shards

        shards = fetch_shards(str(location), cache or user_cache() / "shards")
        return [photo for url, path in shards for photo in _shard_members(path, url)]
    places = expand_braces(str(location))
    if len(places) > 1:
        return [photo for place in places for photo in find_photos(place)]
    place = Path(location).expanduser()
    if any(sign in place.name for sign in "*?["):
        found = sorted(place.parent.glob(place.name))
    elif place.is_dir():
        found = sorted(path for path in place.rglob("*") if path.is_file())
    else:
        found = [place]
    if not found or not found[0].exists():
        raise ColorizerError(f"no photos at {location}: there is no such file or folder")
    photos = []
    for path in found:
        if path.suffix.lower() == ".tar":
            photos += _shard_members(path)
        elif path.suffix.lower() in SUFFIXES:
            photos.append(Photo(str(path), path))
    if not photos:
        raise ColorizerError(
            f"no photos at {location}: a folder of {', '.join(sorted(SUFFIXES))} files "
            "(any depth) or of .tar shards is needed"
        )
    return photos


def _shard_members(path: Path, name: str | None = None) -> list[Photo]:
    name = name or str(path)
    try:
        with tarfile.open(path, "r:") as shard:
            return [
                Photo(f"{name}/{member.name}", path, member.offset_data, member.size)
                for member in shard
                if member.isfile() and PurePosixPath(member.name).suffix.lower() in SUFFIXES
            ]
    except tarfile.TarError as error:
        raise ColorizerError(f"{name} is not an uncompressed tar shard: {error}") from error


def decode(photo: Photo, short_side: int) -> np.ndarray:
    """Decode a photo to sRGB, upright, its short side at most `short_side` pixels.

    Returns:
        (H, W, 3) uint8; a smaller photo keeps its size.

    Raises:
        ColorizerError: the bytes are no readable picture.
    """
    try:
        return decode_bytes(photo.read(), short_side)[0]
    except (ColorizerError, OSError) as error:
        raise ColorizerError(f"{photo.name} cannot be read: {error}") from error
