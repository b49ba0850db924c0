"""Write colored pictures: the saver for each extension, and each file whole or not at all."""

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from colorizer.errors import ColorizerError, UsageError
from colorizer.pictures.header import reason
from colorizer.pictures.metadata import unwrap_iptc, wrap_iptc
from colorizer.pictures.tiff_tags import append_tags
from colorizer.support.files import temporary, whole

if TYPE_CHECKING:
    import pyvips

__all__ = [
    "WRITABLE",
    "bits_of",
    "check_destination",
    "check_extension",
    "encode",
    "holds_pages",
    "losses",
    "page_store",
    "save",
]

_SAVERS: dict[str, tuple[str, dict[str, Any]]] = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), ("jpegsave", {"Q": 95})),
    ".png": ("pngsave", {}),
    ".webp": ("webpsave", {"Q": 95}),
    **dict.fromkeys((".tif", ".tiff"), ("tiffsave", {"compression": "lzw", "predictor": 2})),
    ".avif": ("heifsave", {"compression": "av1", "Q": 80}),
    ".gif": ("gifsave", {}),
    ".bmp": ("bmp", {}),
}
WRITABLE = tuple(_SAVERS)
"""File name extensions that can be written."""


def check_destination(destination: str | os.PathLike[str]) -> Path:
    """The real path of a file that can be written: links are followed, the extension is known.

    Raises:
        UsageError: an extension that cannot be written, or a folder.
        ColorizerError: the folder of the file does not exist or forbids writing.
    """
    path = Path(os.path.realpath(destination))
    _check_known(path.suffix, f"{destination}: ")
    if path.exists() and not path.is_file():
        raise UsageError(f"{destination} is no file, and will not be replaced by one")
    if not path.parent.is_dir():
        raise ColorizerError(f"{destination}: there is no folder {path.parent}; create it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ColorizerError(f"{destination}: no permission to write in {path.parent}")
    return path


def check_extension(extension: str) -> Path:
    """A path for what gets no file: it stands for the format, and for where pages are put aside.

    Args:
        extension: such as ".jpg", in any case, with or without its dot.

    Raises:
        UsageError: an extension that cannot be written.
    """
    suffix = f".{extension.removeprefix('.')}"
    _check_known(suffix)
    return Path(tempfile.gettempdir(), f"picture{suffix}")


def bits_of(destination: Path, bits: int) -> int:
    """How many of `bits` (8 or 16) per channel the format of the destination can hold."""
    deep = _saver(destination) in ("tiffsave", "pngsave", "heifsave")
    return bits if deep else 8


def holds_pages(destination: Path) -> bool:
    """Whether the format of the destination holds several pages."""
    return _saver(destination) == "tiffsave"


def losses(image: "pyvips.Image", destination: Path) -> list[str]:
    """Sentences on what the format of the destination cannot hold of an image."""
    saver = _saver(destination)
    lost = []
    if saver == "jpegsave" and image.hasalpha():
        lost.append(f"{destination.name}: JPEG holds no transparency; it lies on white now")
    if image.get_typeof("iptc-data") and saver not in ("jpegsave", "tiffsave"):
        lost.append(f"{destination.name}: only JPEG and TIFF hold IPTC data; they are left out")
    if saver == "gifsave":
        lost.append(f"{destination.name}: GIF holds 256 colors, so that lightness is approximate")
    return lost


@contextmanager
def page_store(
    destination: Path, threads: int | None
) -> Iterator[Callable[["pyvips.Image"], "pyvips.Image"]]:
    """Gives a function that runs the pipeline of a page now, onto the disk beside `destination`.

    For pictures of many pages: the pipelines of all of them would take memory together.

    Raises:
        ColorizerError: no space, no permission.
    """
    import pyvips

    def store(page: "pyvips.Image") -> "pyvips.Image":
        with _writing(destination):
            path = stored.enter_context(temporary(destination, ".v"))
            _limited(page, threads).vipssave(str(path))
            stored_page = pyvips.Image.vipsload(str(path)).copy()
        for field in stored_page.get_fields():
            if field.startswith("exif-") and not page.get_typeof(field):
                stored_page.remove(field)  # which saving has made up
        return stored_page

    with ExitStack() as stored:
        yield store


def save(pages: list["pyvips.Image"], destination: Path, threads: int | None = None) -> None:
    """Run the pipeline and write its pixels; on any failure nothing is left behind.

    Args:
        pages: sRGB, with or without alpha, uchar or ushort; several only if `holds_pages`, and
            alike.
        destination: from `check_destination`; replaced if it exists.
        threads: of libvips; None takes all cores. Each takes memory for its strips.

    Raises:
        ColorizerError: no space, no permission, or the format cannot hold the picture.
    """
    image, saver, options = _prepared(pages, destination, threads)
    with _writing(destination), whole(destination) as path:
        if saver == "bmp":
            _save_bmp(image, path)
        else:
            getattr(image, saver)(str(path), **options)
        if saver == "tiffsave":
            with path.open("r+b") as file:
                _add_tags(image, file)


def encode(pages: list["pyvips.Image"], destination: Path, threads: int | None = None) -> bytes:
    """The bytes of the file that `save` would write, in memory.

    Raises:
        ColorizerError: the format cannot hold the picture.
    """
    image, saver, options = _prepared(pages, destination, threads)
    with _writing(destination):
        if saver == "bmp":
            _save_bmp(image, file := io.BytesIO())
            return file.getvalue()
        data = getattr(image, f"{saver}_buffer")(**options)
        if saver == "tiffsave":
            _add_tags(image, file := io.BytesIO(data))
            return file.getvalue()
        return data


def _prepared(
    pages: list["pyvips.Image"], destination: Path, threads: int | None
) -> tuple["pyvips.Image", str, dict[str, Any]]:
    """One image as the format takes it, the saver, and its options."""
    import pyvips

    saver, options = _SAVERS[destination.suffix.lower()]
    image = pages[0]
    if len(pages) > 1:
        options = options | {"page_height": image.height}
        image = pyvips.Image.arrayjoin(pages, across=1)
    if saver == "jpegsave" and image.hasalpha():
        image = image.flatten(background=255)
    if saver == "heifsave":
        options = options | {"bitdepth": 8 if image.format == "uchar" else 12}
    if saver == "tiffsave":
        options = options | {"bigtiff": image.width * image.height * image.bands > 1_000_000_000}
    return _with_fitting_iptc(_limited(image, threads), saver), saver, options


def _add_tags(image: "pyvips.Image", tiff: BinaryIO) -> None:
    append_tags(tiff, *(_blob(image, name) for name in ("exif-data", "iptc-data")))


def _limited(image: "pyvips.Image", threads: int | None) -> "pyvips.Image":
    """The image, whose pipeline will run on so many threads."""
    import pyvips

    if threads:
        image = image.copy()
        image.set_type(pyvips.GValue.gint_type, "concurrency", threads)
    return image


def _with_fitting_iptc(image: "pyvips.Image", saver: str) -> "pyvips.Image":
    """JPEG keeps IPTC data in a Photoshop block, the other formats keep them bare."""
    import pyvips

    data = _blob(image, "iptc-data")
    if data:
        fitting = wrap_iptc(data) if saver == "jpegsave" else unwrap_iptc(data)
        image = image.copy()
        image.set_type(pyvips.GValue.blob_type, "iptc-data", fitting)
    return image


def _blob(image: "pyvips.Image", name: str) -> bytes:
    return bytes(image.get(name)) if image.get_typeof(name) else b""


@contextmanager
def _writing(destination: Path) -> Iterator[None]:
    """Turn what libvips and Pillow raise into one sentence that names the file."""
    import pyvips

    try:
        yield
    except (pyvips.Error, OSError, ValueError) as error:
        raise ColorizerError(f"{destination} cannot be written: {reason(error)}") from error


def _check_known(suffix: str, told: str = "") -> None:
    if suffix.lower() not in _SAVERS:
        raise UsageError(
            f"{told}cannot write {(suffix.strip('.') and suffix) or 'a file without extension'};"
            f" accepted are {' '.join(WRITABLE)}"
        )


def _saver(destination: Path) -> str:
    return _SAVERS[destination.suffix.lower()][0]


def _save_bmp(image: "pyvips.Image", file: Path | BinaryIO) -> None:
    """Through Pillow, whole; the libvips wheel has no writer for BMP."""
    from PIL import Image

    dpi = (image.xres * 25.4, image.yres * 25.4)
    Image.fromarray(image.numpy()).save(file, "BMP", dpi=dpi)
