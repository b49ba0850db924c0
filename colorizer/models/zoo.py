"""The named networks over timm encoders; each function's keywords are its settings."""

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


@MODELS.register("colornet18")
def colornet18(
    head: HeadName = "distribution",
    pretrained: bool = False,
    pretrained_file: str | None = None,
    freeze: bool | float = False,
) -> ColorNet:
    """The base: ResNet18 up to stride 8 and a plain decoder, a million parameters in all."""
    return colornet(
        "resnet18",
        False,
        head,
        pretrained,
        pretrained_file,
        freeze,
        last_stride=8,
        dilations=(2, 4, 8, 1),
    )


@MODELS.register("colornet18_cross")
def colornet18_cross(
    head: HeadName = "distribution",
    pretrained: bool = False,
    pretrained_file: str | None = None,
    freeze: bool | float = False,
) -> ColorNet:
    """ResNet18 with cross connections."""
    return colornet("resnet18", True, head, pretrained, pretrained_file, freeze)


@MODELS.register("colornet50")
def colornet50(
    head: HeadName = "distribution",
    pretrained: bool = False,
    pretrained_file: str | None = None,
    freeze: bool | float = False,
) -> ColorNet:
    """ResNet50 and a plain decoder."""
    return colornet("resnet50", False, head, pretrained, pretrained_file, freeze)


@MODELS.register("colornet121")
def colornet121(
    head: HeadName = "distribution",
    pretrained: bool = False,
    pretrained_file: str | None = None,
    freeze: bool | float = False,
) -> ColorNet:
    """DenseNet121 and a plain decoder."""
    return colornet("densenet121", False, head, pretrained, pretrained_file, freeze)


@MODELS.register("colornet50_cross")
def colornet50_cross(
    head: HeadName = "distribution",
    pretrained: bool = False,
    pretrained_file: str | None = None,
    freeze: bool | float = False,
) -> ColorNet:
    """ResNet50 with cross connections."""
    return colornet("resnet50", True, head, pretrained, pretrained_file, freeze)


@MODELS.register("colornet121_cross")
def colornet121_cross(
    head: HeadName = "distribution",
    pretrained: bool = False,
    pretrained_file: str | None = None,
    freeze: bool | float = False,
) -> ColorNet:
    """DenseNet121 with cross connections."""
    return colornet("densenet121", True, head, pretrained, pretrained_file, freeze)


@MODELS.register("colornet_vgg16_cross")
def colornet_vgg16_cross(
    head: HeadName = "distribution",
    pretrained: bool = False,
    pretrained_file: str | None = None,
    freeze: bool | float = False,
) -> ColorNet:
    """VGG16 with cross connections."""
    return colornet("vgg16", True, head, pretrained, pretrained_file, freeze)


@MODELS.register("colornet_lite_cross")
def colornet_lite_cross(
    head: HeadName = "distribution",
    pretrained: bool = False,
    pretrained_file: str | None = None,
    freeze: bool | float = False,
) -> ColorNet:
    """The flagship: EfficientNet-Lite2 with cross connections, 6.4 million parameters."""
    return colornet(
        "tf_efficientnet_lite2", True, head, pretrained, pretrained_file, freeze, width=96
    )
