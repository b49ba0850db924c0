"""Load a model once, color many pictures."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from colorizer.errors import UsageError
from colorizer.inference.compose import compose, gray
from colorizer.inference.hints import read_hints
from colorizer.inference.network import working_size
from colorizer.inference.predict import predict_uncertainty
from colorizer.inference.steered import SteeredModel
from colorizer.inference.suggest import colors_at
from colorizer.options import DEFAULT_MODEL
from colorizer.pictures.colored import (
    Colored,
    Signature,
    check_destination,
    check_extension,
    to_bytes,
    to_file,
)
from colorizer.pictures.forms import layer, pair
from colorizer.pictures.lightness import alpha_of, lightness
from colorizer.pictures.metadata.mark import SYSTEM
from colorizer.pictures.picture import Picture, Source
from colorizer.pictures.resize import enlarge
from colorizer.support.forked import check_not_forked
from colorizer.version import __version__

if TYPE_CHECKING:
    import pyvips


__all__ = ["Colorizer", "colorize", "colorize_bytes", "colorize_file"]


class Colorizer(SteeredModel):
    """A model, ready to color pictures; it may be pickled, and then loads its folder again.

    Args:
        model: name of a shipped model, or path of a model folder or a run; `hf://USER/REPOSITORY`
            of the Hugging Face hub; a torch model, whose graph is made the first time; or a
            `Network` that is loaded already, such as one that runs elsewhere.
        options: as `ColorizeOptions` has them, by name.

    Attributes:
        options: what was asked for, a `ColorizeOptions`.
        size: short side at which the network sees a picture, in pixels.

    Raises:
        UsageError: an unknown model or option, or a value out of range; a temperature, palette or
            variant where the model predicts no distribution; a palette without colors; a reference
            without, or with few pixels, or for a model that has not learnt to take colors of one.
        ColorizerError: the model folder is damaged, or a palette or reference cannot be read.
    """

    def colorize(self, source: Source) -> np.ndarray:
        """Color a picture; of several pages the first.

        Args:
            source: a path, the bytes of a file, or an array (H, W) or (H, W, 3), uint8 or
                uint16, sRGB or gray.

        Returns:
            (H, W, 3) sRGB, upright; uint16 if the source has 16 bits per channel, else uint8. A
            layer is (H, W, 4), with transparency; a pair (H, 2 W, 3).

        Raises:
            ColorizerError: the source cannot be read or colored.
        """
        picture = self._read(source)
        colored = self._color(picture, 0, picture.bits)
        with picture.reading():
            found = colored.image.numpy()
        return found[..., :3] if self.options.result == "pair" else found

    def colorize_file(
        self, source: Source | Picture, destination: str | os.PathLike[str]
    ) -> tuple[str, ...]:
        """Color a picture into a file, which keeps size, depth, alpha, resolution and metadata.

        All pages of a TIFF are colored; of other formats the first.

        Args:
            source: as for `colorize`; or the picture that `Picture.open` gave for it.
            destination: its extension selects the format; an existing file is replaced. The
                file appears whole, or not at all.

        Returns:
            Sentences that a user should read, such as that the picture had colors of its own.

        Raises:
            UsageError: an extension that cannot be written, or not as `result` asks for.
            ColorizerError: the source cannot be read or colored, or the file not be written.
        """
        path = check_destination(destination, self.options.result)
        picture = self._read(source)
        chosen = self.options.threads, self.options.result
        notes = to_file(picture, path, self._color, *chosen)
        return (*picture.notes, *notes)

    def colorize_bytes(
        self, data: bytes | Picture, extension: str
    ) -> tuple[bytes, tuple[str, ...]]:
        """Color the bytes of a file: exactly the bytes that `colorize_file` would write.

        Args:
            data: of a picture file; or the picture that `Picture.open` gave for them.
            extension: selects the format, such as ".jpg".

        Returns:
            The bytes of the new file; and sentences, as of `colorize_file`.

        Raises:
            UsageError, ColorizerError: as for `colorize_file`.
        """
        path = check_extension(extension, self.options.result)
        picture = self._read(data)
        chosen = self.options.threads, self.options.result
        found, notes = to_bytes(picture, path, self._color, *chosen)
        return found, (*picture.notes, *notes)

    def uncertainty(self, source: Source) -> np.ndarray:
        """How undecided the model is about each pixel, of several pages of the first.

        Returns:
            (H, W) float32: the entropy of its distribution, 0 (sure) to 1 (all colors alike).

        Raises:
            UsageError: the model predicts no distribution.
            ColorizerError: as for `colorize`.
        """
        picture = self._read(source)
        with picture.reading():
            return self._uncertainty(picture).numpy()

    def uncertainty_file(self, source: Source, destination: str | os.PathLike[str]) -> None:
        """Write `uncertainty` as a gray picture of the same size: black is sure, white undecided.

        Raises:
            UsageError, ColorizerError: as for `colorize_file` and `uncertainty`.
        """
        from colorizer.pictures import save as output
        from colorizer.pictures.metadata.metadata import Metadata
        from colorizer.pictures.metadata.xmp import mark_xmp

        path = output.check_destination(destination)
        picture = self._read(source)
        with picture.reading():
            values = self._uncertainty(picture)
        gray = (values * 255).rint().cast("uchar").copy(interpretation="b-w")
        system, version = self._signature()
        told = Metadata(xmp=mark_xmp(b"", f"{system}, uncertainty", version)[0])
        output.save([output.OutputPage(gray, told)], path, self.options.threads)

    def _read(self, source: Source | Picture) -> Picture:
        """The header of a picture, with what to tell of it in its notes."""
        check_not_forked()
        picture = Picture.open(source, self.options.max_pixels)
        picture = picture.salvaged() if self.options.salvage else picture
        count = len(picture.pages)
        if (last := self._hints.last_page) > count:
            raise UsageError(f"{picture} has no page {last}, of which the hints speak")
        if self._version is not None and count > 1:
            told = f"{picture}: {self._version.name} is of its first page; the others are automatic"
            picture = replace(picture, notes=(*picture.notes, told))
        return picture

    def suggest(self, source: Source, x: float, y: float, n: int = 9) -> list[str]:
        """The likeliest colors at a place of a picture, by the model, for its lightness there.

        Args:
            source: as for `colorize`.
            x, y: the place in the upright picture, 0..1 from the left and from the top.
            n: how many.

        Returns:
            Colors as "#rrggbb", as hints take them, the likeliest first; fewer than `n` where
            the lightness has not so many, as black and white have but one.

        Raises:
            UsageError: a place outside; a model that predicts no distribution.
            ColorizerError: as for `colorize`.
        """
        picture = self._read(source)
        return colors_at(self, picture, lambda s: picture.thumbnail(0, s)[0], x, y, n)

    def follows(self, source: Source, hint: Mapping[str, Any]) -> float:
        """How much of a picture would follow a hint, were it alone: the share of the picture, 0..1,
        that it would change by more than half of what it changes at its own place.

        Args:
            source: as for `colorize`.
            hint: as in a file of hints, such as `{"at": [0.4, 0.3], "color": "#8a2f2b"}`.

        Raises:
            UsageError: it is no hint, or a model that takes none.
            ColorizerError: as for `colorize`.
        """
        picture = self._read(source)
        self.require_features("hints")
        points = read_hints([hint]).points
        if len(points) != 1:
            raise UsageError("accepted is one hint with a color: a region is followed by nothing")
        page = points[0].page
        if page > len(picture.pages):
            raise UsageError(f"{picture} has no page {page}, of which the hint speaks")
        sides = picture.pages[page - 1]
        small, _ = picture.thumbnail(page - 1, self.look_size(sides))
        return self.follow_share(self.see(small, sides, with_features=True), points[0])

    def _color(self, picture: Picture, page: int, bits: int) -> Colored:
        """A page in color, lazy: what is seen at a small size is steered, and composed at full."""
        sides, had_color = picture.pages[page], False

        def thumbnail(size: tuple[int, int]) -> np.ndarray:
            nonlocal had_color
            small, had_color = picture.thumbnail(page, size)
            return small

        hints = self._hints.on(page + 1)
        if hints.layer is not None:
            hints.layer.check_fits(sides.width, sides.height)
        seen = self.look(thumbnail, sides, with_features=bool(hints), page=page)
        slope, offset = self.steer(seen, hints)
        original = picture.image(page)
        L = lightness(original)
        image = compose(L, slope, offset, bits=bits)
        if self.options.result != "photo":
            form = layer if self.options.result == "layer" else pair
            image = form(image, gray(L, bits=bits), alpha_of(original, bits))
        signature = self._signature(seen.is_unlike)
        notes = (self.unlike_note(picture),) if seen.is_unlike else ()
        return Colored(image, original, had_color, signature, notes)

    def _uncertainty(self, picture: Picture) -> "pyvips.Image":
        """One float band, 0..1, at full size."""
        import pyvips

        self._require(self._network.has_uncertainty, "uncertainty map")
        size = working_size(picture.width, picture.height, self.size)
        small, _ = picture.thumbnail(0, size)
        values = predict_uncertainty(small, self._network, self._prior())
        return enlarge(pyvips.Image.new_from_array(values), picture.width, picture.height)

    def _signature(self, is_unlike: bool = False) -> Signature:
        """The model and what it was told, for the metadata; less references without likeness."""
        hinted = [str(self._hints)] if self._hints else []
        options = self.options.changed({"reference": None}) if is_unlike else self.options
        told = ", ".join([f"size {self.size}", *options.noted(), *hinted])
        system = f"{SYSTEM} {self._network.name}, {told}"
        return Signature(system, f"{__version__}, weights sha256 {self._network.weights_sha256}")


def colorize(
    source: Source, model: str | os.PathLike[str] = DEFAULT_MODEL, **options: Any
) -> np.ndarray:
    """Color one picture: `Colorizer(model, **options).colorize(source)`.

    Examples:
        >>> colorize("old.png", "colornet18", vividness=1.2).shape  # or of an array, or of bytes
        (60, 80, 3)
    """
    return Colorizer(model, **options).colorize(source)


def colorize_bytes(
    data: bytes, extension: str, model: str | os.PathLike[str] = DEFAULT_MODEL, **options: Any
) -> tuple[bytes, tuple[str, ...]]:
    """Color the bytes of a file: `Colorizer(model, **options).colorize_bytes(data, extension)`.

    Examples:
        >>> data, notes = colorize_bytes(Path("old.png").read_bytes(), ".jpg", "colornet18")
        >>> data[:3], notes
        (b'\\xff\\xd8\\xff', ())
    """
    return Colorizer(model, **options).colorize_bytes(data, extension)


def colorize_file(
    source: Source,
    destination: str | os.PathLike[str],
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    **options: Any,
) -> tuple[str, ...]:
    """Color one file: `Colorizer(model, **options).colorize_file(source, destination)`.

    Examples:
        >>> colorize_file("old.png", "new.png", "colornet18")  # sentences that you should read
        ()
    """
    return Colorizer(model, **options).colorize_file(source, destination)
