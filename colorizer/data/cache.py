"""Photos decoded once and kept as one file of pixels, which the next run maps at once."""

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from tqdm import tqdm

from colorizer.data.photos import Photo, decode_in_color
from colorizer.errors import ColorizerError
from colorizer.support.files import remove_stale, whole_folder
from colorizer.support.machine import cores, user_cache
from colorizer.support.pool import in_order

__all__ = ["Decoded", "cache_folder", "decode_all"]

_FORMAT = 2  # raised when decoding changes, so that photos are decoded anew
_PIXELS, _INDEX = "pixels.u8", "index.json"
_SHARE = 0.2  # of its disk that a cache may take


@dataclass(frozen=True)
class Decoded:
    """Decoded photos side by side.

    Attributes:
        names: of the photos that could be read, in order.
        sizes: (N, 2) int64, height and width of each, in pixels.
        pixels: (sum of H * W, 3) uint8, sRGB; in memory, or a mapped file.
        failures: why the others could not be read, or are of no use.
    """

    names: list[str]
    sizes: np.ndarray
    pixels: np.ndarray
    failures: list[str]


def cache_folder(setting: str | None) -> Path | None:
    """Where decoded photos are kept: `data.cache`, of which "auto" is one in the user's cache."""
    if setting != "auto":
        return None if setting is None else Path(setting).expanduser()
    return user_cache() / "decoded"


def decode_all(photos: Sequence[Photo], short_side: int, cache: Path | None) -> Decoded:
    """Decode `photos` in parallel, or map what an earlier run has kept of exactly these.

    The unreadable and the gray are left out, and named each time.

    Processes that want the same photos wait for the first of them to decode.

    Args:
        photos: which.
        short_side: in pixels, see `decode`.
        cache: a folder; None keeps the pixels in memory. If it cannot be written, a warning says
            so, and they are kept in memory too.

    Raises:
        ColorizerError: not one photo can be read.
    """
    if cache is not None:
        folder = cache / _key(photos, short_side)
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{folder}.lock"):
                found = _map(folder)
                if found is None:
                    remove_stale(cache)
                    _write(photos, short_side, folder)
                    found = _map(folder)
                    _make_room(cache, folder, int(_SHARE * shutil.disk_usage(cache).total))
            if found is not None:
                return _checked(found)
        except OSError as error:
            warnings.warn(
                f"decoded photos cannot be kept in {cache} ({error.strerror or error}); the next "
                "run decodes them again (data.cache names another folder)",
                stacklevel=2,
            )
    parts: list[np.ndarray] = []
    names, sizes, failures = _decode_each(
        photos, short_side, lambda rgb: parts.append(rgb.reshape(-1, 3))
    )
    pixels = np.concatenate(parts) if parts else np.empty((0, 3), np.uint8)
    return _checked(Decoded(names, _as_sizes(sizes), pixels, failures))


def _checked(decoded: Decoded) -> Decoded:
    failures = decoded.failures
    if not decoded.names:
        raise ColorizerError(
            f"none of {len(failures)} photos can be used; the first: {failures[0]}"
        )
    if failures:
        more = f"; and {len(failures) - 10} more" if len(failures) > 10 else ""
        listing = "; ".join(failures[:10])
        warnings.warn(f"{len(failures)} photos are left out: {listing}{more}", stacklevel=3)
    return decoded


def _decode_each(
    photos: Sequence[Photo], short_side: int, keep: Callable[[np.ndarray], object]
) -> tuple[list[str], list[tuple[int, int]], list[str]]:
    """Decode in parallel, a bounded number at a time, and hand the pixels over in order.

    Returns:
        Names and sizes of what was kept, and why the others cannot be read.
    """

    def attempt(photo: Photo) -> np.ndarray | ColorizerError:
        try:
            return decode_in_color(photo, short_side)
        except ColorizerError as error:
            return error

    names, sizes, failures = [], [], []
    with _progress(len(photos)) as bar:
        for photo, result in zip(photos, in_order(attempt, photos, cores()), strict=True):
            bar.update()
            if isinstance(result, ColorizerError):
                failures.append(str(result))
                continue
            names.append(photo.name)
            sizes.append(result.shape[:2])
            keep(result)
    return names, sizes, failures


def _progress(total: int) -> tqdm:
    return tqdm(desc="decoding photos", total=total, unit="photo", disable=None)


def _key(photos: Sequence[Photo], short_side: int) -> str:
    """Changes with any photo's name, place, size or time, and with how it is decoded."""
    digest = hashlib.sha256(f"{_FORMAT} {short_side}".encode())
    files: dict[str, str] = {}
    for photo in photos:
        if photo.path not in files:
            about = os.stat(photo.path)
            files[photo.path] = f"{os.path.abspath(photo.path)} {about.st_size} {about.st_mtime_ns}"
        line = f"\n{files[photo.path]} {photo.name} {photo.offset}"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def _map(folder: Path) -> Decoded | None:
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        names, sizes = index["names"], _as_sizes(index["sizes"])
        rows = int(sizes.prod(1).sum())
        if not rows:  # an empty file cannot be mapped
            return Decoded(names, sizes, np.empty((0, 3), np.uint8), index["failures"])
        if (folder / _PIXELS).stat().st_size != 3 * rows:
            return None
        os.utime(folder / _INDEX)  # when it was used last
        # Copy on write: torch wants memory that it may write to.
        pixels = np.memmap(folder / _PIXELS, np.uint8, "c", shape=(rows, 3))
        return Decoded(names, sizes, pixels, index["failures"])
    except (OSError, ValueError, KeyError):
        return None


def _write(photos: Sequence[Photo], short_side: int, folder: Path) -> None:
    """Decode into a temporary folder, which becomes `folder` when it is whole."""
    with whole_folder(folder, last=_INDEX) as work:
        with (work / _PIXELS).open("wb") as file:
            names, sizes, failures = _decode_each(
                photos, short_side, lambda rgb: file.write(rgb.tobytes())
            )
        index = {"names": names, "sizes": sizes, "failures": failures}
        (work / _INDEX).write_text(json.dumps(index), encoding="utf-8")


def _make_room(cache: Path, own: Path, most: int) -> None:
    """Remove the sets that were used longest ago, while all together take more than `most` bytes.

    What another training has mapped stays readable to it.
    """
    used = {folder: (folder / _INDEX).stat().st_mtime for folder in _sets(cache)}
    taken = 0
    for folder in sorted(used, key=used.__getitem__, reverse=True):
        taken += sum(path.stat().st_size for path in folder.iterdir())
        if taken > most and folder != own:
            shutil.rmtree(folder, ignore_errors=True)
            folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)


def _sets(cache: Path) -> list[Path]:
    return [index.parent for index in cache.glob(f"*/{_INDEX}") if index.parent.name[0] != "."]


def _as_sizes(sizes: Sequence[Sequence[int]]) -> np.ndarray:
    return np.array(sizes, np.int64).reshape(-1, 2)
