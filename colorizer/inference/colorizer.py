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
from colorizer.inference.network import Network, working_size
from colorizer.inference.predict import LARGEST, look, look_again, predict_uncertainty
from colorizer.inference.priors import palette_prior, variant_prior
from colorizer.options import DEFAULT_MODEL, ColorizeOptions
from colorizer.pictures import header as pictures
from colorizer.pictures.header import Picture, Source
from colorizer.pictures.lightness import lightness, split_alpha

if TYPE_CHECKING:
    import pyvips

__all__ = ["Colorizer", "colorize", "colorize_bytes", "colorize_file"]

FLAT = 60.0  # the lightness of a color layer, at which most colors are in gamut


class Colorizer:
    """A model, ready to color pictures; it may be pickled, and then loads its folder again.

    Args:
        model: name of a shipped model, or path of a model folder.
        options: as `ColorizeOptions` has them, by name.

    Attributes:
        options: what was asked for, a `ColorizeOptions`.
        size: short side at which the network sees a picture, in pixels.

    Raises:
        UsageError: an unknown model or option, or a value out of range; a temperature, palette or
            variant where the model predicts no distribution; a palette without colors.
        ColorizerError: the model folder is damaged, or the palette cannot be read.
    """

    def __init__(self, model: str | os.PathLike[str] = DEFAULT_MODEL, **options: Any) -> None:
        chosen = ColorizeOptions.of(options)
        self._network = Network(model, chosen.threads)
        self._palette: np.ndarray | None = None
        self._take(chosen)

    @property
    def size(self) -> int:
        return self.options.size or self._network.size

    @property
    def weights_sha256(self) -> str:
        """Of the weights in use."""
        return self._network.weights_sha256

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_network": self._network.folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        network = Network(state["_network"], state["options"].threads)
        self.__dict__ |= state | {"_network": network}

    def with_options(self, **changes: Any) -> Self:
        """A copy that shares the loaded model, with other options.

        Args:
            changes: as `ColorizeOptions` has them, by name; `threads` here are of libvips only.

        Raises:
            UsageError, ColorizerError: as for the constructor.
        """
        other = copy.copy(self)
        other._take(self.options.changed(changes), self.options.palette)
        return other

    def _take(self, options: ColorizeOptions, known_palette: Source | None = None) -> None:
        """Work with these options, if the model can."""
        network, palette = self._network, options.palette
        self._require(options.temperature is None or network.has_temperature, "temperature")
        self._require(palette is None or network.has_prior, "palette")
        self._require(options.variant == 1 or network.has_prior, "variants")
        if palette is None:
            self._palette = None
        elif palette is not known_palette:
            self._palette = palette_prior(palette, network.training_prior(), options.max_pixels)
        self.options = options

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
        picture = pictures.read(source, self.options.max_pixels)
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
            output.save(pages, path, self.options.threads)
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
            return output.encode(pages, path, self.options.threads), notes

    def uncertainty(self, source: Source) -> np.ndarray:
        """How undecided the model is about each pixel, of several pages of the first.

        Returns:
            (H, W) float32: the entropy of its distribution, 0 (sure) to 1 (all colors alike).

        Raises:
            UsageError: the model predicts no distribution.
            ColorizerError: as for `colorize`.
        """
        picture = pictures.read(source, self.options.max_pixels)
        with pictures.reading(picture.source):
            return self._uncertainty(picture).numpy()

    def uncertainty_file(self, source: Source, destination: str | os.PathLike[str]) -> None:
        """Write `uncertainty` as a gray picture of the same size: black is sure, white undecided.

        Raises:
            UsageError, ColorizerError: as for `colorize_file` and `uncertainty`.
        """
        from colorizer.pictures import save as output

        path = output.check_destination(destination)
        values = self._uncertainty(pictures.read(source, self.options.max_pixels))
        gray = (values * 255).rint().cast("uchar").copy(interpretation="b-w")
        output.save([gray], path, self.options.threads)

    @contextmanager
    def _colored_pages(
        self, source: Source, path: Path
    ) -> Iterator[tuple[list["pyvips.Image"], tuple[str, ...]]]:
        """All pages to write, still lazy where there is but one; and what to tell of them."""
        from colorizer.pictures import metadata
        from colorizer.pictures import save as output
        from colorizer.pictures.tiff_tags import read_tags

        picture = pictures.read(source, self.options.max_pixels)
        notes = list(picture.notes)
        bits = output.bits_of(path, picture.bits)
        count = picture.pages if output.holds_pages(path) else 1
        pages = []
        with output.page_store(path, self.options.threads) as store:
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
        prior, temperature = self._prior(), self.options.temperature
        predict = partial(self._network, temperature=temperature, prior=prior)
        if self.options.quality == "fast":
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
            vividness=self.options.vividness,
            flat=FLAT if self.options.chroma_only else None,
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
        if self.options.variant == 1:
            return self._palette
        prior = variant_prior(self.options.variant)
        return prior if self._palette is None else prior * self._palette

    def _require(self, able: bool, what: str) -> None:
        if not able:
            raise UsageError(
                f"the model {self._network.name} predicts no distribution, so it takes no"
                f" {what}; leave it out, or choose a model with the head `distribution`"
            )

    def _signature(self) -> tuple[str, str]:
        """The model and what it was told, for the metadata."""
        told = ", ".join([f"size {self.size}", *self.options.noted()])
        system = f"Colorizer, model {self._network.name}, {told}"
        return system, f"{_version()}, weights sha256 {self._network.weights_sha256}"


def colorize(
    source: Source, model: str | os.PathLike[str] = DEFAULT_MODEL, **options: Any
) -> np.ndarray:
    """Color one picture: `Colorizer(model, **options).colorize(source)`."""
    return Colorizer(model, **options).colorize(source)


def colorize_bytes(
    data: bytes, extension: str, model: str | os.PathLike[str] = DEFAULT_MODEL, **options: Any
) -> tuple[bytes, tuple[str, ...]]:
    """Color the bytes of a file: `Colorizer(model, **options).colorize_bytes(data, extension)`."""
    return Colorizer(model, **options).colorize_bytes(data, extension)


def colorize_file(
    source: Source,
    destination: str | os.PathLike[str],
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    **options: Any,
) -> tuple[str, ...]:
    """Color one file: `Colorizer(model, **options).colorize_file(source, destination)`."""
    return Colorizer(model, **options).colorize_file(source, destination)


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
