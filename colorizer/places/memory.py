"""Keep what many pictures take together within a bound, by estimates on the high side."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.network import working_size
from colorizer.pictures.formats import writer
from colorizer.pictures.picture import Picture
from colorizer.support.machine import cores, memory_installed, memory_taken

__all__ = ["Budget", "estimate"]

MB = 1_000_000
SMALLEST = 128  # pixels, the working size below which a bound is not worth its colors

_STRIPS = 2500  # bytes per pixel of width, and per thread
_FIXED = 30 * MB
_KEPT = 50 * MB  # what libvips and the allocator keep for the next picture
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # of mallopt, in <malloc.h>
_NETWORK = 500  # bytes per pixel of the working size
_VERSION = 250 * MB  # a colored version and the photo at its size, see `ColoredVersion`


def estimate(picture: Picture, destination: Path, size: int, threads: int) -> int:
    """Bytes that coloring a picture takes at most, beside those of the process and the model.

    Args:
        size: working size, see `working_size`.
        threads: of libvips.
    """
    pixels = picture.width * picture.height
    width, height = working_size(picture.width, picture.height, size)
    whole = picture.format.memory(picture.pages[0].frame) + writer(destination.suffix).bytes_written
    whole *= picture.bits // 8
    if picture.interlaced:
        whole += picture.format.bytes_interlaced * picture.pixel_bytes
    if picture.turned:  # by libvips, on disk from 100 MB on
        whole += min(picture.pixel_bytes, 100 * MB / pixels)
    strips = max(picture.width, picture.height) * threads * _STRIPS
    return int(_FIXED + width * height * _NETWORK + strips + pixels * whole)


class Budget:
    """A bound on memory that pictures share.

    Args:
        memory: in megabytes, for the whole process. None promises nothing, and lets pictures
            wait for each other only where they would take more than half of the machine's.
        colorizer: with which the pictures are colored.
        versions: whether pictures have colored versions.

    Raises:
        UsageError: the process takes more than `memory` before any picture.
    """

    def __init__(self, memory: int | None, colorizer: Colorizer, *, versions: bool = False) -> None:
        self._memory = memory
        self._further = _VERSION if versions else 0
        self._colorizer = colorizer
        self._used = 0
        self._changed = threading.Condition()
        self._free = memory_installed() // 2
        if memory is not None:
            _return_what_is_freed()
            taken = memory_taken() + _KEPT
            self._free = memory * MB - taken
            if self._free < _FIXED:
                least = -(-(taken + 2 * _FIXED) // (10 * MB)) * 10
                raise UsageError(f"memory is {memory!r}; accepted are numbers from {least} on (MB)")

    @contextmanager
    def share(
        self, picture: Picture, destination: Path
    ) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
        """Wait until a picture fits, and hold its place: gives options to color it with, and notes.

        Raises:
            ColorizerError: it does not fit, whatever the options.
        """
        need, options, notes = self._fit(picture, destination)
        with self._changed:
            self._changed.wait_for(lambda: self._used + need <= self._free)
            self._used += need
        try:
            yield options, notes
        finally:
            with self._changed:
                self._used -= need
                self._changed.notify_all()

    def _fit(
        self, picture: Picture, destination: Path
    ) -> tuple[int, dict[str, Any], tuple[str, ...]]:
        size, threads = self._colorizer.size, self._colorizer.options.threads or cores()
        need = self._further + estimate(picture, destination, self._scaled(size), threads)
        if self._memory is None:
            return min(need, self._free), {}, ()
        if need <= self._free:
            return need, {}, ()
        least = self._further + estimate(picture, destination, self._scaled(size), 1)
        if least <= self._free:
            note = f"{picture}: colored in smaller strips, to stay within {self._memory} MB"
            return least, {"threads": 1}, (note,)
        while size >= 2 * SMALLEST and least > self._free:
            size //= 2
            least = self._further + estimate(picture, destination, self._scaled(size), 1)
        if least > self._free:
            needed = -(-(least - self._free) // MB) + self._memory
            raise ColorizerError(
                f"{picture} has {picture.width} x {picture.height} pixels and takes about"
                f" {needed} MB as {picture.format.name} to"
                f" {destination.suffix}; raise the memory bound of {self._memory} MB"
            )
        note = f"{picture}: the network saw it at {size} pixels only, to stay within"
        return least, {"threads": 1, "size": size}, (f"{note} {self._memory} MB",)

    def _scaled(self, size: int) -> int:
        return size if self._colorizer.options.quality == "fast" else round(size * 1.25)


def _return_what_is_freed() -> None:
    """Have the allocator of Linux give large pieces back at once, for the rest of this process.

    Else it keeps what a large picture took, by each thread, and the next one comes on top.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another system, or another allocator
        return
    mallopt(_MMAP_THRESHOLD, MB)
    mallopt(_ARENA_MAX, 4)
