"""Photos of all kinds that a visitor may drop, drawn from those of scikit-image."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, TiffImagePlugin
from skimage import data

from colorizer.pictures.metadata import icc

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SAMPLES = Path(__file__).parents[2] / "samples"


def jpeg_of(picture: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", **{"quality": 90} | options)
    return file.getvalue()


def png_of(picture: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def turned_scan(width: int = 2300, height: int = 1400) -> bytes:
    """A gray JPEG of a phone: on its side, with a place, a resolution, XMP and a comment."""
    picture = Image.fromarray(data.camera()).resize((width, height), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F], exif[0x0100] = "A maker", width
    exif[0x011A] = exif[0x011B] = TiffImagePlugin.IFDRational(300)
    exif[0x0128] = 2
    exif.get_ifd(0x8769).update({0xA002: width, 0xA003: height, 0x9003: "1950:01:02 03:04:05"})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 12.0, 3.5)})
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        'syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"><dc:title><rdf:Alt>'
        '<rdf:li xml:lang="x-default">Grandmother &amp; co</rdf:li></rdf:Alt></dc:title>'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    return jpeg_of(picture, exif=exif, xmp=xmp.encode(), comment=b"found in a drawer")


def wide_gamut() -> bytes:
    """Of a phone, under Display P3."""
    profile = icc.named_profile(icc.TRANSFERS[13], icc.PRIMARIES[12], False)
    return jpeg_of(Image.fromarray(data.chelsea()), icc_profile=profile, subsampling=0)


def transparent() -> bytes:
    picture = Image.fromarray(data.coffee()[:300, :420]).convert("RGBA")
    alpha = np.full((300, 420), 255, np.uint8)
    alpha[:50] = 0
    picture.putalpha(Image.fromarray(alpha))
    return png_of(picture, icc_profile=SRGB)


def in_color() -> bytes:
    """A JPEG of a camera, half of its chroma left out."""
    return jpeg_of(Image.fromarray(data.astronaut()[:400, :500]), subsampling="4:2:0")


def tiny() -> bytes:
    return png_of(Image.fromarray(data.camera()[::8, ::5]))


def old_print() -> bytes:
    """A gray picture with sRGB's profile, as scanners write it."""
    picture = ImageOps.grayscale(Image.open(SAMPLES / "coffee.jpg")).convert("RGB")
    return jpeg_of(picture.resize((1700, 1130)), icc_profile=SRGB)


def album(folder: Path) -> list[Path]:
    """All of them, in files."""
    made = {
        "turned.jpg": turned_scan(),
        "p3.jpg": wide_gamut(),
        "alpha.png": transparent(),
        "tiny.png": tiny(),
        "print.jpg": old_print(),
        "color.jpg": in_color(),
    }
    paths = []
    for name, content in made.items():
        paths.append(folder / name)
        paths[-1].write_bytes(content)
    return paths
