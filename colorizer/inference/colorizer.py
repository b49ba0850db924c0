"""Load a model once, color many pictures."""

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from colorizer.errors import UsageError
from colorizer.inference.compose import compose, enlarge
from colorizer.inference.network import Network, find_model, working_size
from colorizer.inference.predict import LARGEST, look, look_again, predict_uncertainty
from colorizer.inference.priors import palette_prior, variant_prior
from colorizer.pictures import header as pictures
from colorizer.pictures.header import MAX_PIXELS, Picture, Source
from colorizer.pictures.lightness import lightness, split_alpha

if TYPE_CHECKING:
    import pyvips

__all__ = ["Colorizer", "colorize", "colorize_bytes", "colorize_file"]

QUALITIES = ("fast", "best")
_CHANGEABLE = {
    *("size", "vividness", "temperature", "variant", "quality", "chroma_only", "threads")
}
FLAT = 60.0  # the lightness of a color layer, at which most colors are in gamut


class Colorizer:
    """A model, ready to color pictures; it may be pickled, and then loads its folder again.

    Args:
        model: name of a shipped model, or path of a model folder.
        size: short side at which the network sees a picture, in pixels; None is the model's own.
        vividness: factor on chroma, 0..2: 0 keeps gray, 1 is as predicted.
        temperature: of a model that predicts a distribution, above 0: less is more vivid, more
            is calmer; None is the model's own.
        palette: for such a model, a photo in color whose colors are preferred.
        variant: for such a model, which alternative: 1 as predicted, 2 and on other preferences,
            the same all over a picture and for all pictures.
        quality: "fast", or "best", which averages over three sizes and the mirror image.
        chroma_only: give the color layer alone, at constant lightness, for an image editor.
        threads: of the network and of libvips; None takes all cores.
        max_pixels: larger pictures are refused.

    Raises:
        UsageError: an unknown model or a value out of range; a temperature, palette or variant
            where the model predicts no distribution; a palette without colors.
        ColorizerError: the model folder is damaged, or the palette cannot be read.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "colornet18",
        *,
        size: int | None = None,
        vividness: float = 1.0,
        temperature: float | None = None,
        palette: Source | None = None,
        variant: int = 1,
        quality: str = "fast",
        chroma_only: bool = False,
        threads: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        _check_options(size, vividness, temperature, variant, quality, threads, max_pixels)
        self._network = Network(find_model(model), threads)
        self._require_abilities(temperature, variant)
        self._require(palette is None or self._network.has_prior, "palette")
        self._palette = None
        if palette is not None:
            self._palette = palette_prior(palette, self._network.training_prior(), max_pixels)
        named = isinstance(palette, str | os.PathLike)
        self._palette_name = os.path.basename(palette) if named else "given as pixels"
        self.size = size or self._network.size
        self.vividness = vividness
        self.temperature = temperature
        self.variant = variant
        self.quality = quality
        self.chroma_only = chroma_only
        self.threads = threads
        self.max_pixels = max_pixels

    @property
    def weights_sha256(self) -> str:
        """Of the weights in use."""
        return self._network.weights_sha256

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_network": self._network.folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state | {"_network": Network(state["_network"], state["threads"])}

    def but(self, **options: Any) -> Self:
        """A copy that shares the loaded model, with other options.

        Args:
            options: size, vividness, temperature, variant, quality, chroma_only, or threads (here
                of libvips only), as for the constructor.

        Raises:
            TypeError: another option.
            UsageError: as for the constructor.
        """
        if unknown := options.keys() - _CHANGEABLE:
            raise TypeError(f"cannot change {', '.join(sorted(unknown))}; make a new Colorizer")
        other = copy.copy(self)
        other.__dict__ |= options
        own = (other.size, other.vividness, other.temperature, other.variant, other.quality)
        _check_options(*own, other.threads, other.max_pixels)
        self._require_abilities(other.temperature, other.variant)
        return other

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
        from colorizer.pictures import save as output

        path = output.check_destination(destination)
        with self._colored_pages(source, path) as (pages, notes):
            output.save(pages, path, self.threads)
        return notes

    def colorize_bytes(self, data: bytes, extension: str) -> tuple[bytes, tuple[str, ...]]:
        """Color the bytes of a file: exactly the bytes that `colorize_file` would write.

        Args:
            data: of a picture file.
            extension: selects the format, such as ".jpg".

        Returns:
            The bytes of the new file; and sentences, as of `colorize_file`.

        Raises:
            UsageError, ColorizerError: as for `colorize_file`.
        """
        from colorizer.pictures import save as output

        path = output.check_extension(extension)
        with self._colored_pages(data, path) as (pages, notes):
            return output.encode(pages, path, self.threads), notes

    def uncertainty(self, source: Source) -> np.ndarray:
        """How undecided the model is about each pixel, of several pages of the first.

        Returns:
            (H, W) float32: the entropy of its distribution, 0 (sure) to 1 (all colors alike).

        Raises:
            UsageError: the model predicts no distribution.
            ColorizerError: as for `colorize`.
        """
        picture = pictures.read(source, self.max_pixels)
        with pictures.reading(picture.source):
            return self._uncertainty(picture).numpy()

    def uncertainty_file(self, source: Source, destination: str | os.PathLike[str]) -> None:
        """Write `uncertainty` as a gray picture of the same size: black is sure, white undecided.

        Raises:
            UsageError, ColorizerError: as for `colorize_file` and `uncertainty`.
        """
        from colorizer.pictures import save as output

        path = output.check_destination(destination)
        values = self._uncertainty(pictures.read(source, self.max_pixels))
        gray = (values * 255).rint().cast("uchar").copy(interpretation="b-w")
        output.save([gray], path, self.threads)

    @contextmanager
    def _colored_pages(
        self, source: Source, path: Path
    ) -> Iterator[tuple[list["pyvips.Image"], tuple[str, ...]]]:
        """All pages to write, still lazy where there is but one; and what to tell of them."""
        from colorizer.pictures import metadata
        from colorizer.pictures import save as output
        from colorizer.pictures.tiff_tags import read_tags

        picture = pictures.read(source, self.max_pixels)
        notes = list(picture.notes)
        bits = output.bits_of(path, picture.bits)
        count = picture.pages if output.holds_pages(path) else 1
        pages = []
        with output.page_store(path, self.threads) as store:
            for page in range(count):
                colored, original, has_color = self._color(picture, page, bits)
                if has_color and not page:
                    notes.append(f"{picture} has colors of its own; they are replaced")
                colored = _attach_alpha(original, colored)
                tagged = picture.loader == "tiffload" and not page
                tags = read_tags(picture.source) if tagged else b""
                with pictures.reading(picture.source):  # whose metadata may be damaged
                    colored = metadata.carry_over(original, colored, *self._signature(), tags)
                pages.append(store(colored) if count > 1 else colored)
            if len(pages) < picture.pages:
                notes.append(f"{picture} has {picture.pages} pages; only the first is colored")
            notes += output.losses(pages[0], path)
            yield pages, tuple(notes)

    def _color(
        self, picture: Picture, page: int, bits: int
    ) -> tuple["pyvips.Image", "pyvips.Image", bool]:
        """The colored page and its original, both lazy; and whether that had colors."""
        size = working_size(picture.width, picture.height, self.size)
        prior, temperature = self._prior(), self.temperature
        predict = partial(self._network, temperature=temperature, prior=prior)
        if self.quality == "fast":
            small, has_color = pictures.thumbnail(picture, page, size)
            slope, offset = look(small, predict)
        else:
            width, height = (max(1, round(side * LARGEST)) for side in size)
            small, has_color = pictures.thumbnail(picture, page, (width, height))
            slope, offset = look_again(small, size, predict)
        original = pictures.decode(picture, page)
        colored = compose(
            lightness(original),
            slope,
            offset,
            bits=bits,
            vividness=self.vividness,
            flat=FLAT if self.chroma_only else None,
        )
        return colored, original, has_color

    def _uncertainty(self, picture: Picture) -> "pyvips.Image":
        """One float band, 0..1, at full size."""
        import pyvips

        self._require(self._network.has_uncertainty, "uncertainty map")
        size = working_size(picture.width, picture.height, self.size)
        small, _ = pictures.thumbnail(picture, 0, size)
        values = predict_uncertainty(small, self._network, self._prior())
        return enlarge(pyvips.Image.new_from_array(values), picture.width, picture.height)

    def _prior(self) -> np.ndarray | None:
        if self.variant == 1:
            return self._palette
        prior = variant_prior(self.variant)
        return prior if self._palette is None else prior * self._palette

    def _require_abilities(self, temperature: float | None, variant: int) -> None:
        self._require(temperature is None or self._network.has_temperature, "temperature")
        self._require(variant == 1 or self._network.has_prior, "variants")

    def _require(self, able: bool, what: str) -> None:
        if not able:
            raise UsageError(
                f"the model {self._network.name} predicts no distribution, so it takes no"
                f" {what}; leave it out, or choose a model with the head `distribution`"
            )

    def _signature(self) -> tuple[str, str]:
        """The model and what it was told, for the metadata."""
        network = self._network
        told = [f"size {self.size}", f"vividness {self.vividness:g}"]
        if self.temperature is not None:
            told.append(f"temperature {self.temperature:g}")
        if self._palette is not None:
            told.append(f"palette {self._palette_name}")
        if self.variant > 1:
            told.append(f"variant {self.variant}")
        if self.quality != "fast":
            told.append(f"quality {self.quality}")
        if self.chroma_only:
            told.append("color layer alone")
        system = f"Colorizer, model {network.name}, {', '.join(told)}"
        return system, f"{_version()}, weights sha256 {network.weights_sha256}"


def colorize(
    source: Source, model: str | os.PathLike[str] = "colornet18", **options: Any
) -> np.ndarray:
    """Color one picture: `Colorizer(model, **options).colorize(source)`."""
    return Colorizer(model, **options).colorize(source)


def colorize_bytes(
    data: bytes, extension: str, model: str | os.PathLike[str] = "colornet18", **options: Any
) -> tuple[bytes, tuple[str, ...]]:
    """Color the bytes of a file: `Colorizer(model, **options).colorize_bytes(data, extension)`."""
    return Colorizer(model, **options).colorize_bytes(data, extension)


def colorize_file(
    source: Source,
    destination: str | os.PathLike[str],
    model: str | os.PathLike[str] = "colornet18",
    **options: Any,
) -> tuple[str, ...]:
    """Color one file: `Colorizer(model, **options).colorize_file(source, destination)`."""
    return Colorizer(model, **options).colorize_file(source, destination)


def _check_options(
    size: int | None,
    vividness: float,
    temperature: float | None,
    variant: int,
    quality: str,
    threads: int | None,
    max_pixels: int,
) -> None:
    if size is not None and not (isinstance(size, int) and 32 <= size <= 4096):
        raise UsageError(f"size is {size!r}; accepted are whole numbers from 32 to 4096 (pixels)")
    if not 0 <= vividness <= 2:
        raise UsageError(f"vividness is {vividness!r}; accepted are numbers from 0 to 2")
    if temperature is not None and not 0 < temperature <= 10:
        raise UsageError(f"temperature is {temperature!r}; accepted are numbers above 0, up to 10")
    if not (isinstance(variant, int) and 1 <= variant <= 100):
        raise UsageError(f"variant is {variant!r}; accepted are whole numbers from 1 to 100")
    if quality not in QUALITIES:
        raise UsageError(f"quality is {quality!r}; accepted are {' and '.join(QUALITIES)}")
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
