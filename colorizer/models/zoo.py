"""The networks over timm encoders: one with all options, and named ones."""

import inspect
from typing import Any

from colorizer.models.colornet import ColorNet
from colorizer.models.decoders import Decoder
from colorizer.models.encoders import Encoder
from colorizer.models.heads import HeadName, create_head
from colorizer.registry import MODELS

__all__ = ["colornet"]


@MODELS.register("colornet")
def colornet(
    encoder: str = "resnet18",
    cross_connections: bool = True,
    head: HeadName = "distribution",
    pretrained: bool = False,
    pretrained_file: str | None = None,
    freeze: bool | float = False,
    frozen_stages: int = 0,
    last_stride: int = 32,
    width: int = 64,
    stride: int = 4,
    dilations: tuple[int, ...] = (1, 2),
) -> ColorNet:
    """Any timm encoder that gives feature maps, with a decoder and a head.

    Args:
        encoder: a timm model name.
        cross_connections: from every encoder stage to the decoder.
        head: "distribution" over ab bins, or "ab" regression.
        pretrained: start from timm's weights, of its hub.
        pretrained_file: start from a local .safetensors or .pth state dict instead.
        freeze: fix the encoder, batch statistics included: True, or for a share of the training,
            such as 0.7 for the first 70 %.
        frozen_stages: of the encoder's, the finest, that stay as they are all the time.
        last_stride: leave out the encoder's stages beyond this stride.
        width: channels at the head's stride.
        stride: the head's.
        dilations: of the decoder's bottlenecks at the last stride, one each.
    """
    body = Encoder(
        encoder,
        pretrained=pretrained,
        pretrained_file=pretrained_file,
        freeze=freeze,
        frozen_stages=frozen_stages,
        last_stride=last_stride,
    )
    decoder = Decoder(
        body.channels,
        body.reductions,
        stride=stride,
        width=width,
        cross_connections=cross_connections,
        dilations=dilations,
    )
    return ColorNet(body, decoder, create_head(head, decoder.out_channels, stride))


_OPEN = ("head", "pretrained", "pretrained_file", "freeze", "frozen_stages")


def _named(name: str, about: str, **fixed: Any) -> None:
    """Register `colornet` with these of its options fixed, and those of `_OPEN` left open."""

    def create(**options: Any) -> ColorNet:
        return colornet(**fixed, **options)

    options = inspect.signature(colornet).parameters
    parameters = [options[key].replace(kind=inspect.Parameter.KEYWORD_ONLY) for key in _OPEN]
    create.__signature__ = inspect.Signature(parameters)  # ty: ignore[missing-attribute]
    create.__name__, create.__doc__ = name, about
    MODELS.register(name)(create)


_named(
    "colornet18",
    "The base: ResNet18 up to stride 8 and a plain decoder, a million parameters in all.",
    encoder="resnet18",
    cross_connections=False,
    last_stride=8,
    dilations=(2, 4, 8, 1),
)
_named("colornet18_cross", "ResNet18 with cross connections.", encoder="resnet18")
_named("colornet50", "ResNet50 and a plain decoder.", encoder="resnet50", cross_connections=False)
_named(
    "colornet121",
    "DenseNet121 and a plain decoder.",
    encoder="densenet121",
    cross_connections=False,
)
_named("colornet50_cross", "ResNet50 with cross connections.", encoder="resnet50")
_named("colornet121_cross", "DenseNet121 with cross connections.", encoder="densenet121")
_named("colornet_vgg16_cross", "VGG16 with cross connections.", encoder="vgg16")
_named(
    "colornet_lite_cross",
    "The flagship: EfficientNet-Lite2 with cross connections, 6.4 million parameters.",
    encoder="tf_efficientnet_lite2",
    width=96,
)
