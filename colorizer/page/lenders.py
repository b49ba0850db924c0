"""Pictures of a page that lend their colors to photos: the settings that name them, and engines."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from colorizer.inference.colorizer import Colorizer
from colorizer.page.photo import Photo, UnknownPhotoError, telling

__all__ = ["LENT", "Lenders"]

LENT = ("palette", "reference", "colors_from")
"""Settings that name another picture, which lends its colors."""

MOST = 8  # engines that are held

Named = tuple[tuple[str, str], ...]
"""Settings of `LENT`, each with the key of its picture."""


class Lenders:
    """Engines with what pictures lend, which is read once.

    Args:
        engine: without any.
        photo_of: gives the picture of a key, or raises UnknownPhotoError.
    """

    def __init__(self, engine: Colorizer, photo_of: Callable[[str], Photo]) -> None:
        self._plain, self._photo_of = engine, photo_of
        self._engines: OrderedDict[Named, Colorizer] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def able(self) -> list[str]:
        """What of `LENT` the model takes."""
        steers = self._plain.can_hint
        able = {
            "palette": steers,
            "reference": steers and self._plain.network.borrowing is not None,
            "colors_from": True,
        }
        return [name for name in LENT if able[name]]

    def engine(self, named: Named) -> Colorizer:
        """The engine with what these pictures lend.

        Raises:
            UnknownPhotoError: one is no longer here.
        """
        engine = self._engines.get(named)
        if engine is None:
            engine = self._plain
            for name, key in named:
                try:
                    photo = self._photo_of(key)
                except UnknownPhotoError as error:
                    raise UnknownPhotoError(
                        "the photo whose colors are used is no longer here; choose it again", key
                    ) from error
                with telling(photo):
                    engine = engine.with_options(**{name: photo.file})
        with self._lock:
            self._engines[named] = engine
            self._engines.move_to_end(named)
            while len(self._engines) > MOST:
                self._engines.popitem(last=False)
        return engine

    def drop(self, key: str) -> None:
        """Let go of what a picture lends."""
        with self._lock:
            for named in [one for one in self._engines if key in dict(one).values()]:
                del self._engines[named]
