"""Mutated files of every format, in a process of their own: a clear error or a right result.

    python -m tests.inference.test_fuzz MODEL FOLDER SEED COUNT

The child process prints a line of JSON; a crash or a hang of a decoder shows in the parent.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo
from skimage.color import rgb2lab

from colorizer.errors import ColorizerError
from colorizer.inference.colorizer import Colorizer
from colorizer.pictures.metadata.photoshop import resource
from colorizer.pictures.metadata.xmp import mark_xmp
from colorizer.pictures.picture import Picture
from colorizer.pictures.quiet import silence
from tests.model_folder import write_model_folder
from tests.mutated import mutate

ROOT = Path(__file__).parents[2]
LIMIT = 4_000_000  # pixels: what a mutated header may claim
SLOW = 20  # seconds that no file of this size may take


@pytest.mark.parametrize("count", [5, pytest.param(160, marks=pytest.mark.slow)])
def test_mutated_files_give_an_error_or_a_right_result(tmp_path, count):
    model = write_model_folder(tmp_path / "tiny")
    (tmp_path / "work").mkdir()
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.inference.test_fuzz",
            model,
            tmp_path / "work",
            "0",
            str(count),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300 + 12 * count,  # seconds
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    told = json.loads(run.stdout)
    assert told["wrong"] == []
    assert told["files"] == count * len(samples())
    assert told["errors"] > 0.2 * told["files"]
    assert told["colored"] > 0.05 * told["files"]
    assert run.stderr == ""


def samples() -> dict[str, bytes]:
    """Small files of every kind that is read, by extension and options."""
    y, x = np.mgrid[:45, :60]
    gray = (40 + 2 * x + y + 10 * np.sin(x / 3)).clip(0, 255).astype(np.uint8)
    color = np.stack([gray, gray[:, ::-1], 255 - gray], -1)
    alpha = np.concatenate([color, gray[..., None]], -1)
    deep = gray.astype(np.uint16) * 257
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    profile = bytes(pyvips.Operation.call("profile_load", "srgb"))
    more = {"append_images": [Image.fromarray(gray[::-1])], "save_all": True}
    cmyk = Image.fromarray(color).convert("CMYK")
    files = {
        "jpg": _pillow(gray, "JPEG", exif=exif, icc_profile=profile, dpi=(300, 300)),
        "progressive.jpg": _pillow(color, "JPEG", progressive=True),
        "cmyk.jpg": _pillow(cmyk, "JPEG"),
        "png": _pillow(gray, "PNG", exif=exif, icc_profile=profile),
        "deep.png": _pillow(deep, "PNG"),
        "palette.png": _pillow(Image.fromarray(color).convert("P"), "PNG"),
        "webp": _pillow(alpha, "WEBP", exif=exif, icc_profile=profile),
        "lossless.webp": _pillow(gray, "WEBP", lossless=True),
        "tif": _pillow(gray, "TIFF", exif=exif, icc_profile=profile, **more),
        "lzw.tif": _pillow(deep, "TIFF", compression="tiff_lzw"),
        "jpeg.tif": _pillow(color, "TIFF", compression="jpeg"),
        "avif": _pillow(gray, "AVIF", exif=exif),
        "gif": _pillow(gray, "GIF", **more),
        "bmp": _pillow(gray, "BMP"),
        "color.bmp": _pillow(color, "BMP"),
    }
    files |= _with_metadata(gray, deep, alpha, exif)
    files |= {"pgm": _pillow(gray, "PPM"), "ppm": _pillow(color, "PPM")}
    with contextlib.suppress(ImportError):
        import pillow_heif

        with io.BytesIO() as file:
            pillow_heif.from_pillow(Image.fromarray(color)).save(file, exif=exif.tobytes())
            files["heic"] = file.getvalue()
    with contextlib.suppress(ImportError):
        import pillow_jxl

        assert pillow_jxl
        files["jxl"] = _pillow(color, "JXL", exif=exif.tobytes())
    tiled = pyvips.Image.new_from_array(color).copy(interpretation="srgb")
    options = {"tile": True, "tile_width": 32, "tile_height": 32, "compression": "deflate"}
    files["tiled.tif"] = tiled.tiffsave_buffer(**options, bigtiff=True)
    return files


def _with_metadata(
    gray: np.ndarray, deep: np.ndarray, alpha: np.ndarray, exif: Image.Exif
) -> dict[str, bytes]:
    """Files most of which are metadata, and TIFF files with further channels, pages, SubIFDs."""
    packet = mark_xmp(b"", "a program", "1")[0]
    inner = exif.get_ifd(0x8769)
    inner[0x9003], inner[0xA002], inner[0xA003] = "1999:12:31 23:59:59", 60, 45
    block = exif.tobytes()
    tags = [(40091, 1, 4, b"a\0\0\0", True), (700, 1, len(packet), packet, True)]
    tags += [(34377, 1, 26, resource(0x0404, b"\x1c\x02\x50\0\x02Me"), True)]
    further = np.concatenate([alpha, alpha[..., :1]], -1)
    files = {
        "meta.jpg": _pillow(gray, "JPEG", exif=block, xmp=packet, comment=b"a comment"),
        "meta.webp": _pillow(gray, "WEBP", exif=block, xmp=packet),
        "jp2": _pillow(gray, "JPEG2000"),
    }
    texts = PngInfo()
    texts.add_text("Author", "José")
    texts.add_itxt("Title", "Köln 写真", "de")
    texts.add_itxt("XML:com.adobe.xmp", packet.decode())
    files["texts.png"] = _pillow(gray, "PNG", pnginfo=texts, exif=block)
    for name, written in (("extra.tif", (gray[::2],)), ("pages.tif", (gray, deep, gray[::3]))):
        with io.BytesIO() as file:
            with tifffile.TiffWriter(file) as writer:
                if name == "extra.tif":
                    options = {"photometric": "rgb", "extrasamples": (1, 0), "extratags": tags}
                    writer.write(further, planarconfig="contig", subifds=1, **options)
                for array in written:
                    writer.write(array, photometric="minisblack", contiguous=False)
            files[name] = file.getvalue()
    return files


def check(colorizer: Colorizer, path: Path, out: Path) -> str:
    """Color one file: "" if that was right, "error" if it was refused, else what is wrong."""
    before = set(os.listdir(path.parent))
    start = time.monotonic()
    try:
        colorizer.colorize_file(path, out)
    except ColorizerError as error:
        left = set(os.listdir(path.parent)) - before
        if left or path.name not in str(error) or "\n" in str(error):
            return f"left {left} behind, or a message without name: {error}"
        return "error"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if time.monotonic() - start > SLOW:
        return "took too long"
    picture = Picture.open(path)
    with picture.reading():
        L = picture.lightness().numpy().reshape(picture.height, picture.width)
        codes = picture.image().numpy().reshape(picture.height, picture.width, -1)
        colored = pyvips.Image.new_from_file(str(out), fail_on="error", revalidate=True).numpy()
    out.unlink()
    if colored.shape[:2] != (picture.height, picture.width):
        return f"has size {colored.shape}, not that of {picture}"
    if np.abs(rgb2lab(colored[..., :3])[..., 0] - L).mean() > 0.5:
        return "has another lightness"
    if picture.bits == 8 and codes.shape[2] in (1, 3):
        other = by_another_reader(path)
        if other is not None and other.shape[:2] != codes.shape[:2]:
            return f"has size {codes.shape}, and {other.shape} for Pillow"
        if other is not None and np.abs(other - codes).mean() > 8:
            return "has other pixels for Pillow"
    flat = colored[..., :3].reshape(-1, 3)
    plain = flat[(flat.min(1) > 0.05 * flat.max()) & (flat.max(1) < flat.max())]
    if len(plain) > 500 and np.ptp(flat.max(1)) > 60 and (np.ptp(plain, 1) == 0).all():
        return "is gray"
    return ""


def by_another_reader(path: Path) -> np.ndarray | None:
    """(H, W, 3) int, upright, as Pillow reads a file; None where it does not, or reads more."""
    with warnings.catch_warnings(), open(os.devnull) as nowhere:
        warnings.simplefilter("ignore")
        kept = os.dup(2)  # its libtiff speaks past Python
        os.dup2(nowhere.fileno(), 2)
        try:
            with Image.open(path) as image:
                if image.format == "TIFF" and image.getexif().get(274, 1) != 1:
                    return None  # which some versions of Pillow turn on loading, and some do not
                image.load()
                if image.mode not in ("1", "L", "P", "RGB") or "transparency" in image.info:
                    return None
                return np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
        except Exception:
            return None
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def main(model: str, folder: str, seed: str, count: str) -> None:
    silence()
    colorizer = Colorizer(model, threads=1, max_pixels=LIMIT)
    told = {"files": 0, "errors": 0, "colored": 0, "wrong": []}
    for kind, (name, data) in enumerate(samples().items()):
        for number in range(int(count)):
            rng = np.random.default_rng([int(seed), kind, number])
            path = Path(folder) / f"in.{name}"
            path.write_bytes(mutate(data, rng) if number else data)
            found = check(colorizer, path, Path(folder) / "out.png")
            if not number and found:
                found = f"refused whole: {found}"
            told["files"] += 1
            told["errors"] += found == "error"
            told["colored"] += not found
            if found not in ("", "error"):
                told["wrong"].append(f"{name} {number}: {found}")
            path.unlink()
    print(json.dumps(told))


def _pillow(array: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


if __name__ == "__main__":
    main(*sys.argv[1:])
