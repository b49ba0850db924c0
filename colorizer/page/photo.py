"""A photo that was dropped: what is known of it, and how errors speak of it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from colorizer.errors import ColorizerError
from colorizer.inference.preview import Preview

__all__ = ["Photo", "UnknownPhotoError", "about", "telling", "unplaced"]

_WORDS = (
    ("raise max_pixels", "start `colorizer serve` with a higher --max-pixels"),
    ("; --salvage colors what can be decoded", ""),
    (" (--keep-color leaves them)", "; shots can be left as they are"),
    (
        "add --codec ffv1, which holds them all, and give the output the extension .mkv",
        "choose MKV, lossless",
    ),
    ("give the output the extension .mkv", "choose MKV"),
    ("--codec vp9 is", "WebM is"),
    ("and the same command goes on from there", "and Go on goes on from there"),
)


class UnknownPhotoError(ColorizerError):
    """A photo that is not, or no longer, in the private folder; `key` is its."""

    def __init__(self, sentence: str, key: str = "") -> None:
        super().__init__(sentence)
        self.key = key


@dataclass
class Photo:
    """A photo that was dropped.

    Attributes:
        file: in the private folder, under the name that the user knows.
        preview: its header, and its pixels while it is open.
        lends: the setting that it is for, if its colors are for other photos, or "".
        salvage: whether it is damaged, and what can be decoded is taken.
        state: settings, hints and history, as the page told them last.
        revision: how often it told them.
        is_removed: whether it waits to be brought back.
        pixels: a file with all of its pixels unpacked, while it is looked at closely.
        number: its place in the order in which photos came.
        of: the key of the film that it is a frame of, or "".
    """

    file: Path
    preview: Preview
    lends: str = ""
    salvage: bool = False
    state: str = ""
    revision: int = 0
    is_removed: bool = False
    pixels: Path | None = None
    number: int = 0
    of: str = ""
    added: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def own(self) -> Path:
        """Of a frame of a film, a picture with the colors that it has, if it has some."""
        return self.file.with_name("own.jpg")

    def told(self, key: str) -> dict[str, Any]:
        """What the page knows of it."""
        picture = self.preview.picture
        return {
            "id": key,
            "name": self.file.name,
            "width": picture.width,
            "height": picture.height,
            "bits": picture.bits,
            "shown": [self.preview.width, self.preview.height],
            "notes": [unplaced(note, self.file) for note in picture.notes],
            "salvage": self.salvage,
            "of": self.of,
            "state": self.state,
            "revision": self.revision,
        }


@contextmanager
def telling(photo: Photo) -> Iterator[None]:
    """Sentences name the photo as the user does, not where it lies."""
    try:
        yield
    except ColorizerError as error:
        raise about(photo.file, error) from error


def about(file: Path, error: Exception) -> Exception:
    """The error, with a sentence that names the photo as the user does."""
    if not isinstance(error, ColorizerError) or isinstance(error, UnknownPhotoError):
        return error
    return type(error)(unplaced(str(error), file))


def unplaced(sentence: str, file: Path) -> str:
    """A sentence that names the file, and not its folder; in the words of the page."""
    sentence = sentence.replace(str(file), file.name).replace(f"{file.parent}", "")
    for engine, page in _WORDS:
        sentence = sentence.replace(engine, page)
    return sentence
