"""A loaded model and what it was told: from the small lightness of a picture to its colors."""

import hashlib
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from colorizer.errors import UsageError
from colorizer.extras import training_side
from colorizer.inference.balance import balanced
from colorizer.inference.colored_version import ColoredVersion, read_colored_version
from colorizer.inference.fixed_kernels import by_hand
from colorizer.inference.hints import Hint, Hints, read_hints
from colorizer.inference.network import Network, pad, working_size
from colorizer.inference.predict import (
    LARGEST,
    Seen,
    over_picture,
    predict_chroma,
    predict_steadily,
)
from colorizer.inference.priors import palette_prior, shares, variant_prior
from colorizer.inference.propagate import (
    Spread,
    by_likeness,
    changed,
    follow,
    followers,
    grid,
    on_grid,
)
from colorizer.inference.reference import Lent
from colorizer.inference.reference_photo import ReferencePhoto, lent_by, read_references
from colorizer.model_folder import ModelFolder
from colorizer.options import DEFAULT_MODEL, ColorizeOptions
from colorizer.pictures.resize import resize

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SteeredModel", "Thumbnail"]


class Sides(Protocol):
    """What has a size: a picture, one of its pages, a frame of a film."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...


Thumbnail = Callable[[tuple[int, int]], np.ndarray]
"""From width and height to the lightness of a picture at that size: (H, W), 0..100."""


class SteeredModel:
    """What `Colorizer` is without picture files; arguments and errors are told there.

    It may be pickled, and then loads its folder again.
    """

    def __init__(
        self,
        model: "str | os.PathLike[str] | ModelFolder | Network | nn.Module" = DEFAULT_MODEL,
        **options: Any,
    ) -> None:
        chosen = ColorizeOptions.of(options)
        if not isinstance(model, Network):
            place: Any = model
            if hasattr(model, "state_dict"):  # a torch module, whose graph is made
                place = training_side("colorizer.weights").folder_for_module(model)
            model = Network(place, chosen.threads, chosen.device)
        self._network = model
        self._palette: np.ndarray | None = None
        self._palette_key = b""
        self._hints = Hints()
        self._version: ColoredVersion | None = None
        self._references: tuple[ReferencePhoto, ...] = ()
        self._lent: Lent | None = None
        self._lent_key: tuple[Any, ...] = ()
        self._take(chosen, ColorizeOptions())

    @property
    def size(self) -> int:
        return self.options.size or self._network.size

    @property
    def network(self) -> Network:
        """What looks at pictures."""
        return self._network

    @property
    def weights_sha256(self) -> str:
        """Of the weights in use."""
        return self._network.weights_sha256

    @property
    def model_name(self) -> str:
        """Of the model in use."""
        return self._network.name

    @property
    def can_hint(self) -> bool:
        """Whether the model takes hints, palettes, variants and temperatures."""
        return self._network.has_prior and self._network.has_features

    @property
    def default_temperature(self) -> float:
        """The model's own."""
        return self._network.temperature

    @property
    def hints(self) -> Hints:
        """What is said of colors."""
        return self._hints

    @property
    def look_key(self) -> tuple[Any, ...]:
        """Two that have it in common see the same in a picture."""
        chosen = self.options
        version = b"" if self._version is None else self._version.key
        steering = chosen.temperature, chosen.variant, self._palette_key, version, self._lent_key
        return self.weights_sha256, self.size, chosen.quality, *steering

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_network": self._network.folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        options = state["options"]
        network = Network(state["_network"], options.threads, options.device)
        self.__dict__ |= state | {"_network": network}

    def with_options(self, **changes: Any) -> Self:
        """A copy that shares the loaded model, with other options.

        Args:
            changes: as `ColorizeOptions` has them, by name; `threads` here are of libvips only.

        Raises:
            UsageError, ColorizerError: as for the constructor.
        """
        if changes.get("device", self.options.device) != self.options.device:
            raise UsageError("a device is chosen when a model is loaded: make a new Colorizer")
        other = object.__new__(type(self))  # copy.copy would pickle, and load the model again
        other.__dict__ |= self.__dict__
        other._take(self.options.changed(changes), self.options)
        return other

    def _take(self, options: ColorizeOptions, before: ColorizeOptions) -> None:
        """Work with these options, if the model can; what was read for those before stays."""
        network, palette = self._network, options.palette
        self._require(options.temperature is None or network.has_temperature, "temperature")
        self._require(palette is None or network.has_prior, "palette")
        self._require(options.variant == 1 or network.has_prior, "variants")
        if palette is None:
            self._palette, self._palette_key = None, b""
        elif palette is not before.palette:
            self._palette = palette_prior(palette, network.training_prior(), options.max_pixels)
            self._palette_key = hashlib.sha256(self._palette.tobytes()).digest()
        if options.hints is None:
            self._hints = Hints()
        elif options.hints is not before.hints:
            self.require_features("hints")
            self._hints = read_hints(options.hints)
        if options.colors_from is None:
            self._version = None
        elif options.colors_from is not before.colors_from:
            self._version = read_colored_version(options.colors_from, options.max_pixels)
        self.options = options
        self._take_references(before)

    def _take_references(self, before: ColorizeOptions) -> None:
        told = self.options.reference
        if told is None:
            self._references, self._lent, self._lent_key = (), None, ()
            return
        if told is not before.reference or self.size != self._references[0].size:
            self.require_features("references")
            self._references = read_references(told, self.size, self.options.max_pixels)
            self._lent_key = ()
        chosen = self.options
        key = chosen.temperature, chosen.variant, self._palette_key
        key = (*key, *(photo.key for photo in self._references))
        if key != self._lent_key:
            steering = {"temperature": chosen.temperature, "prior": self._prior()}
            self._lent, self._lent_key = lent_by(self._network, self._references, steering), key

    def look_size(self, sides: Sides) -> tuple[int, int]:
        """Width and height of the copy of a picture of this size that `see` takes."""
        size = working_size(sides.width, sides.height, self.size)
        if self.options.quality == "fast":
            return size
        width, height = (max(1, round(side * LARGEST)) for side in size)
        return width, height

    def see(
        self,
        small: np.ndarray,
        sides: Sides,
        *,
        with_features: bool = False,
        lean: np.ndarray | None = None,
    ) -> Seen:
        """Run the network.

        Args:
            small: (H, W), 0..100, of `look_size`.
            sides: of the picture which it is a copy of.
            with_features: also find out what hints need.
            lean: (Q,), a factor on each color bin, beside those of the options; of a film's shot.
        """
        prior = self._prior()
        if lean is not None:
            prior = lean if prior is None else prior * lean
        told = {"temperature": self.options.temperature, "prior": prior}
        predict, features = partial(self._network, **told), None
        with_features |= self._lent is not None
        if self.options.quality == "fast" and with_features:
            ab, features = self._network.chroma_and_features(pad(small), **told)
            slope, offset = predict_chroma(small, lambda _: ab)
        elif self.options.quality == "fast":
            slope, offset = predict_chroma(small, predict)
        else:
            size = working_size(sides.width, sides.height, self.size)
            slope, offset = predict_steadily(small, size, predict)
            small = resize(small, *size[::-1])[..., 0]
        if not with_features:
            return Seen(small, slope, offset)
        if features is None:
            features = self._network.features(pad(small))
        features = over_picture(features, small)
        alike, is_unlike = None, False
        if self._lent is not None and self._network.borrowing is not None:
            L, ab = on_grid(small, slope, offset, cells := grid(features))
            change = self._network.borrowing.carry(self._lent, resize(features, *cells), L, ab)
            is_unlike = change is None
            if change is not None:
                slope, offset = changed(small, slope, offset, change)
        if (likeness := self._network.likeness) is not None:
            cells = grid(features)
            alike = likeness.look(resize(small, *cells)[..., 0], resize(features, *cells))
        return Seen(small, slope, offset, features, alike, is_unlike)

    @staticmethod
    def unlike_note(picture: object) -> str:
        """The sentence on a picture that `see` found unlike all references."""
        return f"{picture} shows nothing like the reference; its colors are those without one"

    def look(
        self, thumbnail: Thumbnail, sides: Sides, *, with_features: bool = False, page: int = 0
    ) -> Seen:
        """Run the network on a page of a picture, and take the colors of its colored version.

        Args:
            thumbnail: the lightness of the page at a size, (width, height).
            sides: of the page.
            with_features: also find out what hints need.
            page: from 0 on; a version is of the first.

        Raises:
            UsageError, ColorizerError: the version is not of this picture.
        """
        version = None if page else self._version
        fills = version is not None and self.can_hint
        small = thumbnail(self.look_size(sides))
        seen = self.see(small, sides, with_features=with_features or fills)
        if version is None:
            return seen
        L = thumbnail(version.size_on(sides.width, sides.height))
        if seen.features is None:
            return version.lend(L, seen, None)
        return version.lend(L, seen, self._spread(seen, seen.features))

    def steer(self, seen: Seen, hints: Hints) -> tuple[np.ndarray, np.ndarray]:
        """Slope and offset as they are composed: balanced, as vivid as asked for, as hints say."""
        found = balanced(seen.L, seen.slope, seen.offset, self.options)
        slope, offset = (values * self.options.vividness for values in found)
        if not hints or seen.features is None:
            return slope, offset
        cells, spread = self._spread(seen, seen.features)
        return follow(seen.L, slope, offset, cells, hints, spread)

    def follow_share(self, seen: Seen, hint: Hint) -> float:
        """As `Colorizer.follows`; 0 of what was seen without features."""
        if seen.features is None:
            return 0.0
        cells, spread = self._spread(seen, seen.features)
        return followers(seen.L, *self.steer(seen, Hints()), cells, hint, spread)

    def _spread(self, seen: Seen, features: np.ndarray) -> tuple[tuple[int, int], Spread]:
        """The grid of the hints, and how they spread on it."""
        likeness, alike = self._network.likeness, seen.alike
        if likeness is None or alike is None:
            return grid(features), partial(by_hand, features)
        return grid(features), partial(by_likeness, likeness, alike)

    def typical(self) -> np.ndarray | None:
        """Shares of the color bins in the training photos: (Q,); None without a distribution."""
        return self._network.training_prior() if self._network.has_prior else None

    def distribution(self, small: np.ndarray) -> np.ndarray:
        """The probability of each of `gamut.bins` all over a picture: (h, w, Q).

        Args:
            small: (H, W), 0..100, at the working size.
        """
        network, prior = self._network, self._prior()
        logits = over_picture(network.logits(pad(small)), small).astype(np.float64)
        logits += network.moderation * network.lean()
        if prior is not None:
            logits += np.log(np.maximum(prior, 1e-12))
        return shares(logits)

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

    def require_features(self, what: str) -> None:
        """Raise UsageError if the model's graph does not tell what hints and suggestions need."""
        self._require(self._network.has_prior, what)
        _ = self._network.likeness  # which must be of these weights
        if not self._network.has_features:
            raise UsageError(
                f"the model folder {self._network.folder.path} is older than {what}: make it anew"
                " with `colorizer export FOLDER FOLDER`"
            )
