"""Load a model once, color many pictures."""

import os
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from colorizer.errors import UsageError
from colorizer.inference import picture as pictures
from colorizer.inference.chroma import Network, find_model, pad, working_size
from colorizer.inference.compose import compose, fit_chroma
from colorizer.inference.lightness import lightness, split_alpha
from colorizer.inference.picture import MAX_PIXELS, Picture, Source

if TYPE_CHECKING:
    import pyvips

__all__ = ["Colorizer", "colorize", "colorize_file"]


class Colorizer:
    """A model, ready to color pictures; it may be pickled, and then loads its folder again.

    Args:
        model: name of a shipped model, or path of a model folder.
        size: short side at which the network sees a picture, in pixels; None is the model's own.
        vividness: factor on chroma, 0..2: 0 keeps gray, 1 is as predicted.
        temperature: of a model that predicts a distribution, above 0: less is more vivid, more
            is calmer; None is the model's own.
        threads: of the network; None takes all cores.
        max_pixels: larger pictures are refused.

    Raises:
        UsageError: an unknown model or a value out of range; a temperature where the model
            predicts no distribution.
        ColorizerError: the model folder is damaged.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "colornet18",
        *,
        size: int | None = None,
        vividness: float = 1.0,
        temperature: float | None = None,
        threads: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        _check_options(size, vividness, temperature, threads, max_pixels)
        self._network = Network(find_model(model), threads)
        if temperature is not None and not self._network.has_temperature:
            raise UsageError(
                f"the model {self._network.name} predicts no distribution, so it takes no"
                " temperature; leave it out, or choose a model with the head `distribution`"
            )
        self.size = size or self._network.size
        self.vividness = vividness
        self.temperature = temperature
        self.threads = threads
        self.max_pixels = max_pixels

    @property
    def weights_sha256(self) -> str:
        """Of the weights in use."""
        return self._network.weights_sha256

    def __reduce__(self) -> tuple[Any, ...]:
        options = ("size", "vividness", "temperature", "threads", "max_pixels")
        arguments = {name: getattr(self, name) for name in options}
        return _rebuild, (str(self._network.folder), arguments)

    def colorize(self, source: Source) -> np.ndarray:
        """Color a picture; of several pages the first.

        Args:
            source: a path, the bytes of a file, or an array (H, W) or (H, W, 3), uint8 or
                uint16, sRGB or gray.

        Returns:
            (H, W, 3) sRGB, upright; uint16 if the source has 16 bits per channel, else uint8.

        Raises:
            ColorizerError: the source cannot be read or colored.
        """
        picture = pictures.read(source, self.max_pixels)
        colored, _, _ = self._color(picture, 0, picture.bits)
        with pictures.reading(picture.source):
            return colored.numpy()

    def colorize_file(self, source: Source, destination: str | os.PathLike[str]) -> tuple[str, ...]:
        """Color a picture into a file, which keeps size, depth, alpha, resolution and metadata.

        All pages of a TIFF are colored, if they are alike; of other formats the first.

        Args:
            source: as for `colorize`.
            destination: its extension selects the format; an existing file is replaced. The
                file appears whole, or not at all.

        Returns:
            Sentences that a user should read, such as that the picture had colors of its own.

        Raises:
            UsageError: an extension that cannot be written.
            ColorizerError: the source cannot be read or colored, or the file not be written.
        """
        from colorizer.inference import metadata, output
        from colorizer.inference.tiff_tags import read_tags

        path = output.check_destination(destination)
        picture = pictures.read(source, self.max_pixels)
        notes = list(picture.notes)
        bits = output.bits_of(path, picture.bits)
        pages = []
        for page in range(picture.pages if output.holds_pages(path) else 1):
            colored, original, has_color = self._color(picture, page, bits)
            if has_color and not page:
                notes.append(f"{picture} has colors of its own; they are replaced")
            colored = _attach_alpha(original, colored)
            tags = read_tags(picture.source) if picture.loader == "tiffload" and not page else b""
            with pictures.reading(picture.source):  # whose metadata may be damaged
                colored = metadata.carry_over(original, colored, *self._signature(), tags)
            pages.append(colored)
        if len(pages) < picture.pages:
            notes.append(f"{picture} has {picture.pages} pages; only the first is colored")
        notes += output.losses(pages[0], path)
        output.save(pages, path)
        return tuple(notes)

    def _color(
        self, picture: Picture, page: int, bits: int
    ) -> tuple["pyvips.Image", "pyvips.Image", bool]:
        """The colored page and its original, both lazy; and whether that had colors."""
        small_size = working_size(picture.width, picture.height, self.size)
        small, has_color = pictures.thumbnail(picture, page, small_size)
        padded = pad(small)
        ab = self._network(padded, temperature=self.temperature)
        inside = np.s_[: small.shape[0], : small.shape[1]]
        slope, offset = (part[inside] for part in fit_chroma(padded, ab))
        original = pictures.decode(picture, page)
        colored = compose(lightness(original), slope, offset, bits=bits, vividness=self.vividness)
        return colored, original, has_color

    def _signature(self) -> tuple[str, str]:
        """The model and what it was told, for the metadata."""
        network = self._network
        settings = f"size {self.size}, vividness {self.vividness:g}"
        if self.temperature is not None:
            settings += f", temperature {self.temperature:g}"
        system = f"Colorizer, model {network.name}, {settings}"
        return system, f"{_version()}, weights sha256 {network.weights_sha256}"


def colorize(
    source: Source, model: str | os.PathLike[str] = "colornet18", **options: Any
) -> np.ndarray:
    """Color one picture: `Colorizer(model, **options).colorize(source)`."""
    return Colorizer(model, **options).colorize(source)


def colorize_file(
    source: Source,
    destination: str | os.PathLike[str],
    model: str | os.PathLike[str] = "colornet18",
    **options: Any,
) -> tuple[str, ...]:
    """Color one file: `Colorizer(model, **options).colorize_file(source, destination)`."""
    return Colorizer(model, **options).colorize_file(source, destination)


def _rebuild(folder: str, options: dict[str, Any]) -> Colorizer:
    return Colorizer(folder, **options)


def _check_options(
    size: int | None,
    vividness: float,
    temperature: float | None,
    threads: int | None,
    max_pixels: int,
) -> None:
    if size is not None and not (isinstance(size, int) and 32 <= size <= 4096):
        raise UsageError(f"size is {size!r}; accepted are whole numbers from 32 to 4096 (pixels)")
    if not 0 <= vividness <= 2:
        raise UsageError(f"vividness is {vividness!r}; accepted are numbers from 0 to 2")
    if temperature is not None and not 0 < temperature <= 10:
        raise UsageError(f"temperature is {temperature!r}; accepted are numbers above 0, up to 10")
    if threads is not None and not threads >= 1:
        raise UsageError(f"threads is {threads!r}; accepted are whole numbers from 1 on")
    if max_pixels < 1:
        raise UsageError(f"max_pixels is {max_pixels!r}; accepted are whole numbers from 1 on")


def _attach_alpha(original: "pyvips.Image", colored: "pyvips.Image") -> "pyvips.Image":
    alpha = split_alpha(original)[1]
    if alpha is None:
        return colored
    if alpha.format == "ushort" and colored.format == "uchar":
        alpha = (alpha / 257).rint().cast("uchar")
    return colored.bandjoin(alpha)


def _version() -> str:
    try:
        return version("colorizer")
    except PackageNotFoundError:  # run from a checkout, not installed
        return "unknown version"
