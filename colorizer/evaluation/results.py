"""Pictures that another method has made of the photos: found by name, held to their size."""

import os
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from colorizer.data.photos import Photo, decode_photo, find_photos
from colorizer.errors import ColorizerError, UsageError
from colorizer.evaluation.protocol import OWN_SIZE, at_protocol, read_original

__all__ = ["Results", "short_names"]


class Results:
    """A folder of results, one for each photo: of the photo's name, whatever the extension.

    A picture is looked for at the photo's place below `data`, and then by its name alone, where
    that is the only one in both. It has the size of the photo, and is then brought to the size that
    is measured as the photo is; or that size already.

    Args:
        name: of the row, for messages.
        folder: of pictures, any depth; or tar shards.
        photos: all that there are.
        data: where they lie.
        protocol: see `PROTOCOLS`.

    Attributes:
        notes: sentences on pictures that are of no photo.

    Raises:
        UsageError: two pictures of one name. ColorizerError: no pictures there.
    """

    def __init__(
        self, name: str, folder: str | Path, photos: Sequence[Photo], data: str, protocol: str
    ) -> None:
        self.name, self.folder, self.protocol = name, str(folder), protocol
        pictures = find_photos(folder)
        keys = _keys(pictures, self.folder)
        for key, count in Counter(keys).items():
            if count > 1:
                several = [p.name for p, k in zip(pictures, keys, strict=True) if k == key]
                raise UsageError(f"results {name}: {' and '.join(several[:2])} are of one photo")
        own = dict(zip(keys, pictures, strict=True))
        alone = _by_last(keys)
        wanted = _keys(photos, data)
        wanted_alone = _by_last(wanted)
        self._of: dict[str, Photo] = {}
        for photo, key in zip(photos, wanted, strict=True):
            last = _last(key)
            if key not in own and last in alone and last in wanted_alone:
                key = alone[last]
            if key in own:
                self._of[photo.name] = own[key]
        spare = len(pictures) - len({picture.name for picture in self._of.values()})
        self.notes = [f"{spare} pictures of results {name} are of no photo in the data"]
        self.notes = self.notes if spare else []

    def check(self, photos: Sequence[Photo], keep_gray: bool) -> None:
        """Raise UsageError if one of the photos that can be measured has no picture."""
        missing = [photo for photo in photos if photo.name not in self._of]
        lacking = [p.name for p in missing if _measurable(p, self.protocol, keep_gray)]
        if lacking:
            raise UsageError(
                f"results {self.name}: {len(lacking)} of {len(photos)} photos have no picture in "
                f"{self.folder}, such as {lacking[0]}: each needs one of the photo's name, whatever"
                " the extension"
            )

    def __call__(self, photo: Photo, original: np.ndarray) -> np.ndarray:
        """The picture of a photo at the size that is measured: (H, W, 3) uint8, sRGB.

        Args:
            original: the photo at that size.

        Raises: UsageError for one of another size; ColorizerError: it cannot be read.
        """
        picture = decode_photo(self._of[photo.name], OWN_SIZE)
        if picture.shape == original.shape:
            return picture
        whole = decode_photo(photo, OWN_SIZE)
        if picture.shape != whole.shape:
            sizes = [f"{side.shape[1]}x{side.shape[0]}" for side in (picture, whole, original)]
            measured = "" if sizes[1] == sizes[2] else f", and is measured at {sizes[2]}"
            raise UsageError(
                f"results {self.name}: {self._of[photo.name].name} has {sizes[0]} pixels, and its "
                f"photo {sizes[1]}{measured}"
            )
        return at_protocol(picture, self.protocol)


def short_names(names: Sequence[str], data: str) -> list[str]:
    """Names of photos without the path of the data."""
    place = Path(data).expanduser()
    base = place if place.is_dir() else place.parent
    return [Path(os.path.relpath(name, base)).as_posix() for name in names]


def _keys(photos: Sequence[Photo], data: str) -> list[str]:
    names = short_names([photo.name for photo in photos], data)
    return [str(PurePosixPath(name).with_suffix("")) for name in names]


def _last(key: str) -> str:
    return key.rpartition("/")[2]


def _by_last(keys: Collection[str]) -> dict[str, str]:
    """The last part of a key -> the key, where no other key has it."""
    counts = Counter(map(_last, keys))
    return {_last(key): key for key in keys if counts[_last(key)] == 1}


def _measurable(photo: Photo, protocol: str, keep_gray: bool) -> bool:
    try:
        read_original(photo, protocol, keep_gray)
    except ColorizerError:
        return False
    return True
