"""Write colored pictures: the saver for each extension, and each file whole or not at all."""

import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from colorizer.errors import ColorizerError, UsageError
from colorizer.pictures import embed
from colorizer.pictures.header import reason
from colorizer.pictures.metadata import Metadata
from colorizer.pictures.opening import vips_path
from colorizer.support.files import temporary, whole

if TYPE_CHECKING:
    import pyvips

__all__ = [
    "WRITABLE",
    "OutputPage",
    "bits_of",
    "check_destination",
    "check_extension",
    "encode",
    "holds_pages",
    "losses",
    "save",
]

_KEEP_PROFILE, _KEEP_EXIF_XMP = "icc", 1 | 2 | 8
_SAVERS: dict[str, tuple[str, dict[str, Any]]] = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), ("jpegsave", {"Q": 95})),
    ".png": ("pngsave", {}),
    ".webp": ("webpsave", {"Q": 95}),
    **dict.fromkeys((".tif", ".tiff"), ("tiffsave", {"compression": "lzw", "predictor": 2})),
    ".avif": ("heifsave", {"compression": "av1", "Q": 80}),
    ".gif": ("gifsave", {}),
    ".bmp": ("bmp", {}),
    ".jp2": ("jp2", {}),
}
WRITABLE = tuple(_SAVERS)
"""File name extensions that can be written."""

_NAMES = {
    "jpegsave": "JPEG",
    "pngsave": "PNG",
    "webpsave": "WebP",
    "tiffsave": "TIFF",
    "heifsave": "AVIF",
    "gifsave": "GIF",
    "bmp": "BMP",
    "jp2": "JPEG 2000",
}


@dataclass(frozen=True)
class OutputPage:
    """A page to write.

    Attributes:
        image: sRGB, with or without alpha, uchar or ushort, with its profile; lazy.
        metadata: see `read_metadata`.
        further: channels that are neither color nor transparency; None if there are none.
    """

    image: "pyvips.Image"
    metadata: Metadata = field(default_factory=Metadata)
    further: "pyvips.Image | None" = None


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


def losses(page: OutputPage, destination: Path, bits: int = 8) -> list[str]:
    """Sentences on what the format of the destination cannot hold of a page of so many bits."""
    saver, name = _saver(destination), destination.name
    lost = []
    if bits > bits_of(destination, bits):
        kind = _NAMES[saver]
        lost.append(f"{name}: {kind} is written with 8 bits per channel; TIFF and PNG keep 16")
    if saver == "jpegsave" and page.image.hasalpha():
        lost.append(f"{name}: JPEG holds no transparency; it lies on white now")
    if page.further is not None and saver != "tiffsave":
        count = page.further.bands
        words = "a further channel is" if count == 1 else f"{count} further channels are"
        lost.append(
            f"{name}: {words} left out (spot colors, selections, infrared): TIFF keeps them"
        )
    if saver == "gifsave":
        lost.append(f"{name}: GIF holds 256 colors, so that lightness is approximate")
    return lost + embed.losses(page.metadata, saver, _NAMES[saver], name)


def save(
    pages: Iterable[OutputPage],
    destination: Path,
    threads: int | None = None,
    raw_bytes: int = 0,
) -> None:
    """Run the pipelines and write their pixels; on any failure nothing is left behind.

    Args:
        pages: several only if `holds_pages`; each is written before the next is asked for.
        destination: from `check_destination`; replaced if it exists.
        threads: of libvips; None takes all cores. Each takes memory for its strips.
        raw_bytes: of all pages, not packed; a TIFF that might pass 4 GB takes another form.

    Raises:
        ColorizerError: no space, no permission, or the format cannot hold the picture.
    """
    with ExitStack() as stack:

        def new() -> BinaryIO:
            path = stack.enter_context(temporary(destination, destination.suffix))
            return stack.enter_context(path.open("w+b"))

        with _writing(destination), whole(destination) as path, path.open("w+b") as target:
            _write(pages, destination, target, new, threads, raw_bytes)


def encode(
    pages: Iterable[OutputPage],
    destination: Path,
    threads: int | None = None,
    raw_bytes: int = 0,
) -> bytes:
    """The bytes of the file that `save` would write, in memory.

    Raises:
        ColorizerError: the format cannot hold the picture.
    """
    with _writing(destination):
        target = io.BytesIO()
        _write(pages, destination, target, io.BytesIO, threads, raw_bytes)
        return target.getvalue()


def _write(
    pages: Iterable[OutputPage],
    destination: Path,
    target: BinaryIO,
    new: Callable[[], BinaryIO],
    threads: int | None,
    raw_bytes: int,
) -> None:
    """Write the pages to an open file; `new` makes files for what is put aside."""
    saver, options = _SAVERS[destination.suffix.lower()]
    if saver == "tiffsave":
        options = options | {"bigtiff": raw_bytes > 2_000_000_000}
        for number, page in enumerate(pages):
            bare = new() if number else target
            if page.image.format == "ushort":  # whose grain LZW makes longer than it is
                options = options | {"compression": "deflate"}
            _render(_joined(page), saver, options, bare, threads)
            embed.into_tiff(bare, page.metadata, _extra_samples(page))
            if number:
                embed.append_page(target, bare)
                bare.close()
        return
    page = next(iter(pages))
    image = page.image
    if saver == "jpegsave" and image.hasalpha():
        image = image.flatten(background=255)
    if saver == "heifsave":
        options = options | {"bitdepth": 8 if image.format == "uchar" else 12}
        image = embed.with_blobs(image, page.metadata)
    if saver == "bmp":  # of which Pillow would make a resolution up
        across, down = page.metadata.resolution or (0, 0)
        options = options | {"dpi": (across * 25.4, down * 25.4)}
    if saver in ("gifsave", "bmp", "heifsave"):  # nothing is added to these
        _render(image, saver, options, target, threads)
        if saver == "heifsave":
            embed.amend_avif(target, page.metadata)
        return
    bare = new()
    _render(image, saver, options, bare, threads)
    bare.seek(0)
    embed.copy_with(bare, target, saver, page.metadata)


def _render(
    image: "pyvips.Image", saver: str, options: dict[str, Any], file: BinaryIO, threads: int | None
) -> None:
    """Run the pipeline, and write the pixels into an open file, with their profile alone."""
    if saver in ("bmp", "jp2"):
        _save_by_pillow(_limited(image, threads), saver, file, options)
        return
    options = options | {"keep": _KEEP_EXIF_XMP if saver == "heifsave" else _KEEP_PROFILE}
    image = _limited(image, threads)
    if isinstance(file, io.BytesIO):
        file.write(getattr(image, f"{saver}_buffer")(**options))
    else:
        getattr(image, saver)(vips_path(file.name), **options)


def _joined(page: OutputPage) -> "pyvips.Image":
    return page.image if page.further is None else page.image.bandjoin(page.further)


def _extra_samples(page: OutputPage) -> tuple[int, ...]:
    """What the channels after the colors are: not premultiplied alpha, then unspecified ones."""
    alpha = (2,) if page.image.hasalpha() else ()
    return alpha + (0,) * (0 if page.further is None else page.further.bands)


def _limited(image: "pyvips.Image", threads: int | None) -> "pyvips.Image":
    """The image, whose pipeline will run on so many threads."""
    import pyvips

    if threads:
        image = image.copy()
        image.set_type(pyvips.GValue.gint_type, "concurrency", threads)
    return image


@contextmanager
def _writing(destination: Path) -> Iterator[None]:
    """Turn what libvips and Pillow raise into one sentence that names the file."""
    import pyvips

    try:
        yield
    except (pyvips.Error, OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise ColorizerError(f"{destination} cannot be written: {reason(error)}") from error


def _save_by_pillow(
    image: "pyvips.Image", kind: str, file: BinaryIO, options: dict[str, Any]
) -> None:
    """Whole; the libvips wheel has no writer for BMP and JPEG 2000."""
    from PIL import Image

    pixels = Image.fromarray(image.numpy())
    pixels.save(file, "BMP" if kind == "bmp" else "JPEG2000", **options)


def _check_known(suffix: str, told: str = "") -> None:
    if suffix.lower() not in _SAVERS:
        raise UsageError(
            f"{told}cannot write {(suffix.strip('.') and suffix) or 'a file without extension'};"
            f" accepted are {' '.join(WRITABLE)}"
        )


def _saver(destination: Path) -> str:
    return _SAVERS[destination.suffix.lower()][0]
