"""ColorNet: an encoder, a decoder and a head."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from colorizer.color.tensors import Prediction
from colorizer.errors import UsageError
from colorizer.extras import training_side
from colorizer.models.decoders import Decoder
from colorizer.models.encoders import Encoder
from colorizer.models.heads import Head

__all__ = ["ColorModel", "ColorNet", "extended"]


class ColorModel(nn.Module):
    """What every model is: from L to `features`, and from these to the raw output of its `head`.

    Attributes:
        head: gives the raw output its meaning; `head.name`, `head.stride`.
        config: the name and options that `create_model` built it from.
        features: what the head reads: L (N, 1, H, W), 0..100 -> (N, C, h, w), at its stride. What
            a model may be told beside L are further keywords, which it can do without.
    """

    head: Head
    config: dict[str, Any]
    features: Callable[..., Tensor]

    def forward(self, L: Tensor, **told: Tensor) -> Tensor:
        """Shape: L (N, 1, H, W), 0..100 -> raw (N, C, h, w), at the head's stride.

        Raises: UsageError for a tensor of another shape, such as RGB, or of whole numbers.
        """
        if L.dim() != 4 or L.shape[1] != 1 or not L.is_floating_point():
            raise UsageError(
                f"a model got a {str(L.dtype).removeprefix('torch.')} tensor of shape "
                f"{tuple(L.shape)}; it takes lightness, float (N, 1, H, W) in 0..100: of sRGB in "
                "0..1 it is colorizer.color.tensors.rgb_to_lab(rgb)[0]"
            )
        return self.head(self.features(L, **told))

    def predict(self, L: Tensor, **told: Tensor) -> Prediction:
        """What it makes of L: colors for losses and metrics, decoded when they ask for them.

        Shape: L (N, 1, H, W), 0..100, float; what it is told beside it, by keyword of `features`.
        """
        return Prediction(L, self(L, **told), self.decode)

    def tell(self, ab: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """What it is told beside L in a training step, such as hints: keywords of `features`.

        Args:
            ab: (N, 2, H, W), Lab units, of the originals.
            generator: on the device of `ab`; all chance comes from it.
        """
        return {}

    def described(self) -> dict[str, Any]:
        """Its `config`; of a class that `create_model` has not made, its `module.Class`."""
        kind = type(self)
        own = {"name": f"{kind.__module__}.{kind.__qualname__}"}
        self.config = getattr(self, "config", own)
        return dict(self.config)

    def save_pretrained(self, folder: str | Path, *, size: int = 256) -> Path:
        """Write a model folder, which `colorizer.load_model` and all of the tool take.

        Args:
            folder: where to; it appears whole.
            size: the working size of inference, in pixels.

        Raises: ColorizerError: weights that are not finite, a graph that ONNX has not, no space.
        """
        return training_side("colorizer.export").export(self, folder, settings={}, size=size)

    def freeze_at(self, progress: float) -> bool:
        """Be as at this point of a training, 0..1; says whether weights learn that did not before.

        For models that keep a part frozen for a share of the training; others have nothing to do.
        """
        return False

    def renamed(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """A state dict in the model's own names, where its authors' released one has others."""
        return state

    def unfold(self) -> None:
        """Drop what `freeze_at` made for speed, before weights are changed, copied or exported."""

    def decode(self, raw: Tensor, **options: Any) -> Tensor:
        """Shape: raw (N, C, h, w) -> ab (N, 2, h, w), Lab units, float32.

        The options are the head's: `temperature` and `prior` of the distribution head.
        """
        return self.head.decode(raw, **options)


class ColorNet(ColorModel):
    """Encoder, decoder, head.

    Args:
        encoder: answers `channels`, `reductions` and `multiple`.
        decoder: built for that encoder; stops at the head's stride.
        head: reads the decoder's features.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder, head: Head) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.head = head

    def freeze_at(self, progress: float) -> bool:
        """Freeze the encoder up to a stage, as `Encoder.freeze_at` does."""
        return self.encoder.freeze_at(progress)

    def unfold(self) -> None:
        """Drop the encoder's folded copy, as `Encoder.unfold` does."""
        self.encoder.unfold()

    def features(self, L: Tensor) -> Tensor:
        """Shape: L (N, 1, H, W), 0..100 -> (N, C, ceil(H / stride), ceil(W / stride))."""
        h, w = L.shape[-2:]
        x = self.decoder(self.encoder(extended(L, self.encoder.multiple)))
        s = self.head.stride
        return x[:, :, : (h + s - 1) // s, : (w + s - 1) // s]


def extended(L: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until height and width are multiples of `multiple`."""
    for dim in (2, 3):
        size = L.shape[dim]
        rows = torch.arange((size + multiple - 1) // multiple * multiple, device=L.device)
        L = L.index_select(dim, rows.clamp(max=size - 1))
    return L
