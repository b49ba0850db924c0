"""What the page works with: one engine, the photos that were dropped, and what is done to them."""

import threading
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.preview import Preview
from colorizer.page.folder import PrivateFolder
from colorizer.pictures.formats import WRITABLE
from colorizer.support.nearest import did_you_mean

__all__ = ["FORMATS", "Photo", "Studio"]

FORMATS = {".tif": "TIFF", ".png": "PNG", ".jpg": "JPEG", ".webp": "WebP", ".avif": "AVIF"}
"""Of downloads: extension and name."""

SETTINGS = ("vividness", "temperature", "variant", "quality", "palette", "chroma_only")
"""What the page may set of `ColorizeOptions`, beside hints."""

OPEN = 6  # photos whose pixels are held for previews
IDLE = 2 * 3600.0  # seconds without a request, after which all photos go
MOST_PHOTOS = 500


class UnknownPhotoError(ColorizerError):
    """A photo that is not, or no longer, in the private folder."""


@dataclass
class Photo:
    """A photo that was dropped.

    Attributes:
        file: in the private folder, under the name that the user knows.
        preview: its header, and its pixels while it is open.
    """

    file: Path
    preview: Preview
    lock: threading.Lock = field(default_factory=threading.Lock)


class Studio:
    """One engine for all photos of a page; its methods may be called from several threads.

    Args:
        colorizer: the engine.
        folder: where photos and results lie.
        max_pixels: larger photos are refused.
    """

    def __init__(self, colorizer: Colorizer, folder: PrivateFolder, max_pixels: int) -> None:
        self.engine, self.folder, self.max_pixels = colorizer, folder, max_pixels
        self._photos: OrderedDict[str, Photo] = OrderedDict()
        self._palettes: dict[str, Colorizer] = {}
        self._results: dict[str, tuple[Path, str]] = {}
        self._lock = threading.Lock()
        self._used = time.monotonic()

    def add(self, file: Path) -> tuple[str, Photo]:
        """Take a file of the private folder for a photo; on failure it is removed.

        Raises:
            ColorizerError: it cannot be colored.
        """
        try:
            if len(self._photos) >= MOST_PHOTOS:
                raise ColorizerError(f"a page holds at most {MOST_PHOTOS} photos; remove some")
            photo = Photo(file, Preview(file, self.max_pixels))
            photo.preview.gray()  # reads all of the file, so this is where damage shows
        except Exception as error:
            self.folder.remove(file)
            raise _told(error, file) from error
        with self._lock:
            self._photos[file.parent.name] = photo
        return file.parent.name, photo

    def remove(self, key: str) -> None:
        """Forget a photo, if it is there."""
        with self._lock:
            photo = self._photos.pop(key, None)
            self._palettes.pop(key, None)
        if photo is not None:
            self.folder.remove(photo.file)

    def photo(self, key: str) -> Photo:
        """The photo of a key; raises UnknownPhotoError."""
        self._used = time.monotonic()
        photo = self._photos.get(key)
        if photo is None:
            raise UnknownPhotoError("this photo is no longer here; add it again")
        self._close_others(key)
        return photo

    def clear_if_idle(self) -> None:
        """Remove all photos and results if nobody has asked for any for a long time."""
        if time.monotonic() - self._used > IDLE:
            for key in list(self._photos):
                self.remove(key)
            for key in list(self._results):
                self.drop_result(key)

    def told_to(self, settings: Any, hints: Any) -> Colorizer:
        """The engine with what the page asks for.

        Raises:
            UsageError: an unknown setting, a value out of range, or wrong hints.
            UnknownPhotoError: the palette is no longer here.
        """
        if not isinstance(settings, Mapping):
            raise UsageError(f"settings are {settings!r}; accepted are names with values")
        if not isinstance(hints, Mapping | list | None):  # a text would be the path of a file
            raise UsageError(f"hints are {hints!r}; accepted is what the page saves")
        for name in settings:
            if name not in SETTINGS:
                raise UsageError(f"the page sets no {name!r}{did_you_mean(name, SETTINGS)}")
        changes = {name: value for name, value in settings.items() if value is not None}
        palette = changes.pop("palette", None)
        engine = self.engine if palette is None else self._with_palette(str(palette))
        if hints:
            changes["hints"] = hints
        return engine.with_options(**changes)

    def show(self, key: str, engine: Colorizer, shrink: int = 1) -> bytes:
        """A JPEG of the colored preview, or of one `shrink` times smaller."""
        photo = self.photo(key)
        with photo.lock, _telling(photo):
            return _jpeg(photo.preview.colorize(engine, shrink))

    def gray(self, key: str) -> bytes:
        """A JPEG of the preview without color."""
        photo = self.photo(key)
        with photo.lock, _telling(photo):
            return _jpeg(photo.preview.gray())

    def suggest(self, key: str, engine: Colorizer, x: float, y: float) -> dict[str, Any]:
        """The lightness of a place, and the likeliest colors there."""
        photo = self.photo(key)
        with photo.lock, _telling(photo):
            colors = photo.preview.suggest(engine, x, y)
            return {"L": photo.preview.lightness_at(x, y), "colors": colors}

    def render(
        self,
        wanted: Sequence[Mapping[str, Any]],
        extension: str,
        progress: Callable[[int], None] = lambda done: None,
    ) -> tuple[str, str, list[str]]:
        """Color photos at full size, as the command line does; several become one ZIP file.

        Args:
            wanted: for each photo `id`, and perhaps `settings` and `hints`.
            extension: of `FORMATS`.
            progress: is told how many are done.

        Returns:
            The key and name of the result, for `result`; and sentences to show.

        Raises:
            UsageError: an unknown format, or what `told_to` raises.
            ColorizerError: none of the photos could be colored.
        """
        if extension not in FORMATS or extension not in WRITABLE:
            raise UsageError(f"the format is {extension!r}; accepted are {', '.join(FORMATS)}")
        notes: list[str] = []
        made: list[Path] = []
        try:
            for number, one in enumerate(wanted):
                progress(number)
                try:
                    made.append(self._render(one, extension, notes))
                except ColorizerError as error:
                    if len(wanted) == 1:
                        raise
                    notes.append(str(error))
            if not made:
                raise ColorizerError("; ".join(notes))
            file = made[0] if len(wanted) == 1 else self._zip(made)
        finally:
            for path in made:
                if len(wanted) > 1:
                    self.folder.remove(path)
        with self._lock:
            self._results[file.parent.name] = file, file.name
        return file.parent.name, file.name, notes

    def result(self, key: str) -> Path:
        """A file that `render` made; raises UnknownPhotoError."""
        self._used = time.monotonic()
        if key not in self._results:
            raise UnknownPhotoError("this file is no longer here; download it again")
        return self._results[key][0]

    def drop_result(self, key: str) -> None:
        """Remove a file that `render` made."""
        with self._lock:
            found = self._results.pop(key, None)
        if found is not None:
            self.folder.remove(found[0])

    def _render(self, one: Mapping[str, Any], extension: str, notes: list[str]) -> Path:
        photo = self.photo(str(one.get("id")))
        engine = self.told_to(one.get("settings") or {}, one.get("hints"))
        path = self.folder.place(f"{photo.file.stem}-colored{extension}")
        try:
            self.folder.check_room(0)
            with _telling(photo):
                notes += [
                    _unplaced(note, photo.file) for note in engine.colorize_file(photo.file, path)
                ]
        except BaseException:
            self.folder.remove(path)
            raise
        return path

    def _zip(self, files: list[Path]) -> Path:
        path = self.folder.place("colored.zip")
        names: set[str] = set()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed
            for file in files:
                name, count = file.name, 1
                while name in names:
                    count += 1
                    name = f"{file.stem}-{count}{file.suffix}"
                names.add(name)
                archive.write(file, name)
        return path

    def _with_palette(self, key: str) -> Colorizer:
        """An engine whose palette is read once."""
        if key not in self._palettes:
            photo = self.photo(key)
            with _telling(photo):
                self._palettes[key] = self.engine.with_options(palette=photo.file)
        return self._palettes[key]

    def _close_others(self, key: str) -> None:
        """Let go of pixels of the photos that were opened first."""
        with self._lock:
            self._photos.move_to_end(key)
            for other in list(self._photos.values())[:-OPEN]:
                other.preview.close()


@contextmanager
def _telling(photo: Photo) -> Iterator[None]:
    """Sentences name the photo as the user does, not where it lies."""
    try:
        yield
    except ColorizerError as error:
        raise _told(error, photo.file) from error


def _told(error: Exception, file: Path) -> Exception:
    if not isinstance(error, ColorizerError):
        return error
    return type(error)(_unplaced(str(error), file))


def _unplaced(sentence: str, file: Path) -> str:
    return sentence.replace(str(file), file.name).replace(f"{file.parent}", "")


def _jpeg(picture: np.ndarray) -> bytes:
    import pyvips

    image = pyvips.Image.new_from_array(picture).copy(interpretation="srgb")
    return bytes(image.jpegsave_buffer(Q=90))
