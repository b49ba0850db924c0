"""Write colored pictures, each file whole or not at all, and tell what its format cannot hold."""

import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from colorizer.errors import ColorizerError, UsageError
from colorizer.pictures.formats import writer
from colorizer.pictures.formats.format import Format, Output, OutputPage
from colorizer.pictures.formats.vips import blob
from colorizer.pictures.forms import check_form
from colorizer.pictures.lightness import ICC, is_srgb
from colorizer.pictures.metadata import exif, photoshop
from colorizer.pictures.metadata.icc import color_space
from colorizer.pictures.metadata.metadata import Metadata
from colorizer.pictures.origin import reason
from colorizer.support.files import temporary, whole

if TYPE_CHECKING:
    import pyvips

__all__ = [
    "OutputPage",
    "bits_of",
    "check_destination",
    "check_extension",
    "encode",
    "holds_pages",
    "losses",
    "save",
    "sentences",
    "with_profile",
]

_HEADER = (
    *("width", "height", "bands", "format", "coding", "interpretation"),
    *("xoffset", "yoffset", "xres", "yres", "filename"),
)


def check_destination(destination: str | os.PathLike[str], form: str = "photo") -> Path:
    """The real path of a file that can be written: links are followed, the extension is known.

    Raises:
        UsageError: an extension that cannot be written, or not in this form; a folder.
        ColorizerError: the folder of the file does not exist or forbids writing.
    """
    path = Path(os.path.realpath(destination))
    writer(path.suffix, f"{destination}: ")
    check_form(form, path.suffix)
    try:
        is_other = path.exists() and not path.is_file()
    except OSError as error:
        size = len(os.fsencode(path.name))
        raise UsageError(
            f"{destination} cannot be written: {error.strerror}; its name has {size} bytes, and 255"
            " are the most on common systems"
        ) from error
    if is_other:
        raise UsageError(f"{destination} is no file, and will not be replaced by one")
    if not path.parent.is_dir():
        raise ColorizerError(f"{destination}: there is no folder {path.parent}; create it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ColorizerError(f"{destination}: no permission to write in {path.parent}")
    return path


def check_extension(extension: str, form: str = "photo") -> Path:
    """A path for what gets no file: it stands for the format, and for where pages are put aside.

    Args:
        extension: such as ".jpg", in any case, with or without its dot.

    Raises:
        UsageError: an extension that cannot be written, or not in this form.
    """
    suffix = f".{extension.removeprefix('.')}"
    writer(suffix)
    check_form(form, suffix)
    return Path(tempfile.gettempdir(), f"picture{suffix}")


def bits_of(destination: Path, bits: int) -> int:
    """How many of `bits` (8 or 16) per channel the format of the destination can hold."""
    return min(bits, writer(destination.suffix).deepest)


def holds_pages(destination: Path) -> bool:
    """Whether the format of the destination holds several pages."""
    return "pages" in writer(destination.suffix).holds


def with_profile(image: "pyvips.Image", original: "pyvips.Image") -> "pyvips.Image":
    """The pixels with an sRGB profile - that of the original, if it is one - and nothing else."""
    import pyvips

    profile = blob(original, ICC)
    own = int.from_bytes(profile[:4]) == len(profile) and color_space(profile) == "RGB"
    result = image.copy()
    for name in result.get_fields():
        if result.get_typeof(name) and name not in _HEADER:
            result.remove(name)
    if not (own and is_srgb(original)):
        profile = pyvips.Operation.call("profile_load", "srgb")
    result.set_type(pyvips.GValue.blob_type, ICC, profile)
    return result


def sentences(metadata: Metadata, name: str) -> list[str]:
    """What of the original no file of ours will hold."""
    return [f"{name}: {words} cannot be kept" for words in metadata.left_out]


def losses(page: OutputPage, destination: Path, bits: int = 8) -> list[str]:
    """Sentences on what the format of the destination cannot hold of a page of so many bits."""
    format, name = writer(destination.suffix), destination.name
    lost = []
    if bits > format.deepest:
        lost.append(f"{format.name} is written with 8 bits per channel; TIFF and PNG keep 16")
    if "alpha" not in format.holds and page.image.hasalpha():
        lost.append(f"{format.name} holds no transparency; it lies on white now")
    if page.further is not None and "further" not in format.holds:
        count = page.further.bands
        words = "a further channel is" if count == 1 else f"{count} further channels are"
        lost.append(f"{words} left out (spot colors, selections, infrared): TIFF keeps them")
    lost += [*format.losses(page), *_metadata_lost(page.metadata, format)]
    return [f"{name}: {sentence}" for sentence in lost]


def _metadata_lost(metadata: Metadata, format: Format) -> list[str]:
    kind, holds = format.name, format.holds
    resources = photoshop.without_iptc(metadata.photoshop)
    keywords = (content.split(b"\0", 1)[0].decode("latin-1") for _, content in metadata.texts)
    told = (
        ("exif", exif.says_more(metadata.exif), f"{kind} holds no EXIF data; they are left out"),
        (
            "xmp",
            metadata.xmp,
            f"{kind} holds no XMP; it is left out, and so is the mark of a model",
        ),
        ("iptc", metadata.iptc, "only JPEG and TIFF hold IPTC data; they are left out"),
        ("photoshop", resources, "only JPEG and TIFF hold data of Photoshop; they are left out"),
        (
            "texts",
            metadata.texts,
            f"only PNG holds its texts ({', '.join(dict.fromkeys(keywords))}); they are left out",
        ),
        ("comments", metadata.comments, "only JPEG and PNG hold its comment; it is left out"),
        ("resolution", metadata.resolution, f"{kind} holds no resolution; it is left out"),
    )
    return [sentence for name, there, sentence in told if there and name not in holds]


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
            writer(destination.suffix).write(iter(pages), Output(target, new, threads, raw_bytes))


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
        output = Output(target, io.BytesIO, threads, raw_bytes)
        writer(destination.suffix).write(iter(pages), output)
        return target.getvalue()


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
