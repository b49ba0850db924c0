"""What the page works with: one engine, the photos that were dropped, and what is done to them."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.preview import Preview
from colorizer.page.kept import Left, note
from colorizer.page.lenders import LENT, Lenders
from colorizer.page.photo import Photo, UnknownPhotoError, about, telling, unplaced
from colorizer.page.working_folder import PrivateFolder
from colorizer.support.nearest import did_you_mean
from colorizer.support.told import shown

if TYPE_CHECKING:
    import pyvips

__all__ = ["MOST_PHOTOS", "SETTINGS", "Studio", "TakeFilm"]

TakeFilm = Callable[[str, Path, dict[str, Any]], None]

SETTINGS = (
    *("vividness", "temperature", "variant", "quality", *LENT),
    *("warmth", "tint", "shadows", "highlights", "natural", "result"),
)
"""What the page may set of `ColorizeOptions`, beside hints."""

OPEN = 6  # photos whose pixels are held for previews
IDLE = 12 * 3600.0  # seconds without a request, after which all photos go
MOST_PHOTOS = 500
_UP = 32  # libvips' number for the filter of PNG that is the quickest of use
GRACE = 60.0  # seconds in which a picture that lends its colors need not be in use


class Studio:
    """One engine for all photos of a page; its methods may be called from several threads.

    Args:
        colorizer: the engine.
        folder: where photos lie.
        max_pixels: larger photos are refused.
        left: work of an earlier start, to go on with or to remove.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        folder: PrivateFolder,
        max_pixels: int,
        left: Left | None = None,
    ) -> None:
        self.engine, self.folder, self.max_pixels = colorizer, folder, max_pixels
        self._photos: dict[str, Photo] = {}
        self._open: OrderedDict[str, None] = OrderedDict()  # the last used at the end
        self.lenders = Lenders(colorizer, self.check)
        self._lock = threading.Lock()
        self._used = time.monotonic()
        self._count = 0
        self.left = left

    def take_left(self, take_film: TakeFilm) -> dict[str, Any]:
        """Go on with what an earlier start has left.

        Args:
            take_film: takes a film, by its key, its file and what is known of it.

        Returns:
            How many photos are here now, and the names of those that can no longer be read.
        """
        left, self.left = self.left, None
        lost: list[str] = []
        for key, file, known in left.take(self.folder) if left else ():
            try:
                if known.get("is_film"):
                    take_film(key, file, known)
                    continue
                salvage = known.get("salvage") is True
                preview = Preview(file, self.max_pixels, salvage=salvage)
                photo = Photo(file, preview, str(known.get("lends", "")), salvage)
                photo.of = str(known.get("of", ""))
            except ColorizerError:  # it was damaged meanwhile
                self.folder.remove(file)
                lost.append(file.name)
                continue
            photo.state, photo.revision = str(known.get("state", "")), 1
            photo.is_removed = known.get("is_removed") is True
            with self._lock:
                self._photos[key] = photo
            self._note(key, photo)
        return {"photos": sum(not one["of"] for one in self.photos()), "lost": lost}

    def drop_left(self) -> None:
        """Remove the work that an earlier start has left."""
        left, self.left = self.left, None
        if left is not None:
            left.drop()

    def next_number(self) -> int:
        """The place of what comes next, among all that came."""
        self._count += 1
        return self._count

    def _note(self, key: str, photo: Photo) -> None:
        """What the next start must know of a photo."""
        photo.number = photo.number or self.next_number()
        told = {"name": photo.file.name, "number": photo.number, "state": photo.state}
        told |= {"lends": photo.lends, "is_removed": photo.is_removed}
        told |= {"salvage": photo.salvage, "of": photo.of}
        note(self.folder, key, told)

    def add(
        self, file: Path, lends: str = "", salvage: bool = False, of: str = ""
    ) -> dict[str, Any]:
        """Take a file of the private folder for a photo; on failure it is removed.

        Args:
            file: from `PrivateFolder.place`.
            lends: of `LENT`, the setting that it is for; empty of a photo to color.
            salvage: take of a damaged one what can be decoded.
            of: the key of the film that it is a frame of.

        Returns:
            What the page knows of it.

        Raises:
            ColorizerError: it cannot be colored. UsageError: it has no colors to lend.
        """
        try:
            if lends and lends not in LENT:
                raise UsageError(f"a photo is for {' or '.join(LENT)}, or to color, not {lends!r}")
            count = sum(not photo.of for photo in self._photos.values())
            if not of and count >= MOST_PHOTOS and not self.forget_one():
                raise ColorizerError(f"a page holds at most {MOST_PHOTOS} photos; remove some")
            preview = Preview(file, self.max_pixels, salvage=salvage)
            photo = Photo(file, preview, lends, salvage, of=of)
            photo.preview.gray()  # reads all of the file, so this is where damage shows
            if lends:
                self.engine.with_options(**{lends: file})
        except Exception as error:
            told = about(file, error)
            if type(told) is ColorizerError and not salvage and self._is_readable(file):
                told = ColorizerError(f"{told}; what can be read of it can be colored")
            self.folder.remove(file)
            raise told from error
        key = file.parent.name
        with self._lock:
            self._photos[key] = photo
        self._note(key, photo)
        self._close_others(key)
        return photo.told(key)

    def _is_readable(self, file: Path) -> bool:
        """Whether something of a damaged photo can be decoded."""
        try:
            Preview(file, self.max_pixels, salvage=True).gray()
        except ColorizerError:
            return False
        return True

    def photos(self) -> list[dict[str, Any]]:
        """What the page knows of all photos, in the order in which they came."""
        self._used = time.monotonic()
        with self._lock:
            shown = [
                (key, photo)
                for key, photo in self._photos.items()
                if not (photo.is_removed or photo.lends)
            ]
        return [photo.told(key) for key, photo in shown]

    def keep(self, key: str, state: str) -> int:
        """Keep what the page says of a photo, for when it is opened again; tells how often."""
        photo = self.check(key)
        with self._lock:
            photo.state, photo.revision = state, photo.revision + 1
            self._note(key, photo)
        self._drop_lenders()
        return photo.revision

    def remove(self, key: str) -> None:
        """Take a photo away, if it is there; `restore` brings it back as long as there is room.

        Raises: UsageError for a frame of a film.
        """
        photo = self._photos.get(key)
        if photo is not None and photo.of:
            raise UsageError(f"{photo.file.name} is a frame of a film, and goes with it")
        if photo is not None:
            with self._lock:
                photo.is_removed = True
                self._photos[key] = self._photos.pop(key)  # the last that is forgotten
                self._open.pop(key, None)
                self.lenders.drop(key)
                self._note(key, photo)
            self._close(photo)

    def restore(self, key: str) -> dict[str, Any]:
        """Bring a removed photo back; raises UnknownPhotoError."""
        photo = self._photos.get(key)
        if photo is None:
            raise UnknownPhotoError("this photo is no longer here; add it again", key)
        photo.is_removed = False
        self._note(key, photo)
        return photo.told(key)

    def forget_of(self, film: str) -> None:
        """Remove the frames of a film for good."""
        for key, photo in list(self._photos.items()):
            if photo.of == film:
                self.forget(key)

    def forget_one(self) -> bool:
        """Free the room of the photo that was removed first, if there is one."""
        for key, photo in list(self._photos.items()):
            if photo.is_removed:
                self.forget(key)
                return True
        return False

    def check(self, key: str) -> Photo:
        """The photo of a key; raises UnknownPhotoError."""
        self._used = time.monotonic()
        photo = self._photos.get(key)
        if photo is None or photo.is_removed:
            raise UnknownPhotoError("this photo is no longer here; add it again", key)
        return photo

    def clear_if_idle(self) -> bool:
        """Remove all photos if nobody has asked for any for a long time; tells whether.

        What is kept for the next start stays.
        """
        if self.folder.keeps or time.monotonic() - self._used <= IDLE:
            return False
        for key in list(self._photos):
            self.forget(key)
        return True

    def told_to(self, settings: Any, hints: Any) -> Colorizer:
        """The engine with what the page asks for.

        Raises:
            UsageError: an unknown setting, a value out of range, or wrong hints.
            UnknownPhotoError: a picture that lends its colors is no longer here.
        """
        if not isinstance(settings, Mapping):
            raise UsageError(f"settings are {shown(settings)}; accepted are names with values")
        if not isinstance(hints, Mapping | list | None):  # a text would be the path of a file
            raise UsageError(f"hints are {shown(hints)}; accepted is what the page saves")
        for name in settings:
            if name not in SETTINGS:
                raise UsageError(f"the page sets no {shown(name)}{did_you_mean(name, SETTINGS)}")
        changes = {name: value for name, value in settings.items() if value is not None}
        lent = tuple((name, str(changes.pop(name))) for name in LENT if name in changes)
        engine = self.lenders.engine(lent) if lent else self.engine
        if hints:
            changes["hints"] = hints
        return engine.with_options(**changes)

    def show(self, key: str, engine: Colorizer, shrink: int = 1) -> tuple[bytes, tuple[str, ...]]:
        """A JPEG of the colored preview, or of one `shrink` times smaller; and sentences on it."""
        with self._opened(key) as photo:
            shown = _jpeg(photo.preview.colorize(engine, shrink))
            notes = photo.preview.sentences(engine)
            return shown, tuple(unplaced(note, photo.file) for note in notes)

    def gray(self, key: str) -> bytes:
        """A JPEG of the preview without color."""
        with self._opened(key) as photo:
            return _jpeg(photo.preview.gray())

    def own(self, key: str) -> bytes:
        """A JPEG of a frame of a film with the colors that it has."""
        photo = self.check(key)
        return photo.own.read_bytes() if photo.own.is_file() else self.gray(key)

    def region(
        self, key: str, engine: Colorizer | None, box: tuple[int, int, int, int], shrink: int
    ) -> bytes:
        """A PNG of a part with the file's own pixels, or of them `shrink` times smaller.

        Args:
            engine: None leaves it gray.
            box: left, top, width, height in pixels of the file.
        """
        with self._opened(key) as photo:
            page = self._pixels(photo)
            found = photo.preview.region(engine, page, box, shrink)
            return bytes(found.pngsave_buffer(compression=1, filter=_UP, keep=0))

    def suggest(self, key: str, engine: Colorizer, x: float, y: float) -> dict[str, Any]:
        """The lightness of a place, the likeliest colors there, and what share of the picture would
        follow each."""
        with self._opened(key) as photo:
            colors = photo.preview.suggest(engine, x, y)
            shares = photo.preview.follows(engine, x, y, colors)
            found = {"L": photo.preview.lightness_at(x, y), "colors": colors}
            return found | {"follows": [round(share, 4) for share in shares]}

    def _pixels(self, photo: Photo) -> "pyvips.Image":
        """The first page of a photo, unpacked into a file once, so that any part is at hand."""
        import pyvips

        picture = photo.preview.picture
        if photo.pixels is None:
            path = self.folder.place("pixels.v")
            try:
                size = picture.width * picture.height * max(1, picture.pixel_bytes)
                self.folder.promise(path, size)
                with picture.reading():
                    picture.image().vipssave(str(path))
            except BaseException:
                self.folder.remove(path)
                raise
            self.folder.settle(path)
            photo.pixels = path
        return pyvips.Image.new_from_file(str(photo.pixels))

    @contextmanager
    def _opened(self, key: str) -> Iterator[Photo]:
        photo = self.check(key)
        with photo.lock, telling(photo):
            yield photo
        self._close_others(key)

    def _drop_lenders(self) -> None:
        """Forget pictures that lend their colors to no photo, nor to what one can go back to."""
        now = time.monotonic()
        with self._lock:
            lenders = [
                key
                for key, photo in self._photos.items()
                if photo.lends and now - photo.added > GRACE
            ]
            told = [photo.state for photo in self._photos.values()] if lenders else []
        for key in lenders:
            if not any(key in state for state in told):
                self.forget(key)

    def forget(self, key: str) -> None:
        """Remove a photo for good, if it is there."""
        with self._lock:
            photo = self._photos.pop(key, None)
            self.lenders.drop(key)
            self._open.pop(key, None)
        if photo is not None:
            self._close(photo)
            note(self.folder, key, None)
            self.folder.remove(photo.file)

    def _close_others(self, key: str) -> None:
        """Let go of pixels of the photos that were looked at first."""
        with self._lock:
            if key in self._photos:
                self._open[key] = None
                self._open.move_to_end(key)
            old = []
            while len(self._open) > OPEN:
                old.append(self._photos.get(self._open.popitem(last=False)[0]))
        for photo in old:
            if photo is not None:
                self._close(photo)

    def _close(self, photo: Photo) -> None:
        with photo.lock:
            photo.preview.close()
            pixels, photo.pixels = photo.pixels, None
        if pixels is not None:
            self.folder.remove(pixels)


def _jpeg(picture: np.ndarray) -> bytes:
    import pyvips

    image = pyvips.Image.new_from_array(picture).copy(interpretation="srgb")
    return bytes(image.jpegsave_buffer(Q=90))
