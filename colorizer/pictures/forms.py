"""What colors are written as: the photo, a layer of them to lay over it, or a pair to show."""

from typing import TYPE_CHECKING

from colorizer.errors import UsageError
from colorizer.pictures.formats import WRITABLE

if TYPE_CHECKING:
    import pyvips

__all__ = ["FORMS", "LAYERS", "check_form", "layer", "pair"]

FORMS = {"photo": "-colored", "layer": "-layer", "pair": "-pair"}
"""Their names, and what stands behind the names of files of each that lie beside their photos."""

LAYERS = (".png", ".tif", ".tiff")
"""What a layer is written as: a lossy format leaves little of colors that can hardly be seen."""

_LUMA = (0.3, 0.59, 0.11)  # of the blend mode Color (W3C, Compositing and Blending, 10.2)


def check_form(form: str, extension: str) -> None:
    """Raise UsageError if a form cannot be written with this extension."""
    if form == "layer" and extension.lower() in WRITABLE and extension.lower() not in LAYERS:
        raise UsageError(
            f"a color layer is not written as {extension}, which loses colors that are nearly"
            f" transparent; accepted are {', '.join(LAYERS)}"
        )


def layer(
    colored: "pyvips.Image", gray: "pyvips.Image", alpha: "pyvips.Image | None"
) -> "pyvips.Image":
    """The colors alone, as transparent as they can be.

    Laid over `gray` in the mode Normal it gives `colored`; in the mode Color it gives what
    `colored` as a layer would give: its hue and saturation at the luma of what lies below.

    Args:
        colored, gray: sRGB of three bands, uchar or ushort.
        alpha: of the photo, in as many bits; where it is transparent, so is the layer.

    Returns:
        sRGB with alpha, as many bits, lazy.
    """
    most = 65535 if colored.format == "ushort" else 255
    below = gray[0]
    far = colored - gray  # what the layer must add, in code values
    luma = sum(far[i] * share for i, share in enumerate(_LUMA))
    need = _least(far, below, most).maxpair(_least(far - luma, below, most)).minpair(1)
    opaque = (need * most).ceil()
    color = (far * most / opaque.maxpair(1) + gray).rint()
    color = (color < 0).ifthenelse(0, (color > most).ifthenelse(most, color))
    if alpha is not None:
        opaque = (opaque * alpha / most).rint()
    whole = color.bandjoin(opaque).cast(colored.format)
    return whole.copy(interpretation=colored.interpretation)


def pair(
    colored: "pyvips.Image", gray: "pyvips.Image", alpha: "pyvips.Image | None"
) -> "pyvips.Image":
    """The photo without color, and beside it in color; arguments as of `layer`."""
    if alpha is not None:
        colored, gray = colored.bandjoin(alpha), gray.bandjoin(alpha)
    return gray.join(colored, "horizontal")


def _least(far: "pyvips.Image", below: "pyvips.Image", most: int) -> "pyvips.Image":
    """The least opacity at which a color of 0..`most` moves what lies below so far."""
    r, g, b = far.bandsplit()
    up, down = r.maxpair(g).maxpair(b), r.minpair(g).minpair(b) * -1
    return (up / (below * -1 + most).maxpair(0.5)).maxpair(down / below.maxpair(0.5)).maxpair(0)
