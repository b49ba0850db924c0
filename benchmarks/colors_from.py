"""How near `--colors-from` comes to the original, of versions as other tools give them back.

    python benchmarks/colors_from.py everyday.tar kodak24.tar --limit 60

A version is the photo in its true colors, a tenth of it repainted with another photo, enlarged by
1.04, shifted by 3 %, shrunk to 512 pixels at most, as JPEG of quality 80; a harder one is stretched
by 1.05 and turned by 2 degrees too, and of another contrast, with noise. CIEDE2000 to the original,
beside gray, automatic, and the JPEG alone laid on the photo, which is the floor. Then how many
versions are refused, and how many other photos are not: the most alike by their thumbnails.
"""

import argparse
import io
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage import color

from colorizer.errors import ColorizerError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.registration import ALIKE, comparable, register

SIDE, QUALITY, SHIFT, SCALE, REPAINTED = 512, 80, 0.03, 1.04, 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("photos", nargs="+", type=Path, help="tar files of photos in color")
    parser.add_argument("--limit", type=int, default=60, help="photos of each, evenly spread")
    parser.add_argument("--model", default="colornet_lite_cross")
    args = parser.parse_args()
    colorizer = Colorizer(args.model, threads=1)
    for tar in args.photos:
        photos = list(decoded(tar, args.limit))
        print(f"\n{len(photos)} photos of {tar.name}, CIEDE2000\n")
        print(
            "| | gray | automatic | the JPEG alone | off what is repainted | worst photo |", end=""
        )
        print(" on what is | refused | s |\n|---|" + "---:|" * 8)
        for name, hard in (("as asked", False), ("harder", True)):
            print(f"| {name} | {' | '.join(lent(colorizer, photos, hard))} |")
        alike = [found_in(*pair) for pair in most_alike(photos)]
        print(
            f"\nother photos, the most alike ones, that are taken for versions: "
            f"{sum(one >= ALIKE for one in alike)} of {len(alike)}, highest {max(alike):.2f}"
        )


def lent(colorizer: Colorizer, photos: list[np.ndarray], hard: bool) -> list[str]:
    """The cells of a row."""
    rows, refused, seconds = [], 0, 0.0
    for number, rgb in enumerate(photos):
        rng = np.random.default_rng(number)
        other = photos[(number + len(photos) // 3) % len(photos)]
        version, repainted = handed_back(rgb, other, rng, hard)
        photo = gray(rgb)
        begin = time.process_time()
        try:
            found = colorizer.with_options(colors_from=version).colorize(photo)
        except ColorizerError:
            refused += 1
            continue
        seconds += time.process_time() - begin
        off = ~cv2.dilate(repainted.astype(np.uint8), np.ones((3, 3))).astype(bool)
        own = decode(coded(rgb))
        floor = color.lab2rgb(np.dstack([color.rgb2lab(rgb)[..., 0], color.rgb2lab(own)[..., 1:]]))
        pictures = [photo_rgb(photo), colorizer.colorize(photo), floor, found]
        errors = [
            color.deltaE_ciede2000(color.rgb2lab(one), color.rgb2lab(rgb)) for one in pictures
        ]
        rows.append([*(error[off].mean() for error in errors), errors[-1][repainted].mean()])
    mean = np.mean(rows, 0)
    worst = max(row[3] for row in rows)
    told = [*mean[:4], worst, mean[4]]
    return [f"{v:.2f}" for v in told] + [f"{refused}", f"{seconds / len(rows):.1f}"]


def handed_back(
    rgb: np.ndarray, other: np.ndarray, rng: np.random.Generator, hard: bool
) -> tuple[bytes, np.ndarray]:
    """A version, and where the photo is repainted in it: (H, W)."""
    height, width = rgb.shape[:2]
    noise = rng.standard_normal((height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), min(height, width) / 8)
    repainted = smooth > np.quantile(smooth, 1 - REPAINTED)
    rim = cv2.GaussianBlur(repainted.astype(np.float32), (0, 0), min(height, width) / 150)[
        ..., None
    ]
    made = rgb * (1 - rim) + cv2.resize(other, (width, height)) * rim
    way, turn = rng.uniform(0, 2 * np.pi), np.deg2rad(2 if hard else 0)
    to = SCALE * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    to = to @ np.diag([1.05 if hard else 1, 1])
    middle = np.array([width, height]) / 2
    shift = middle - to @ middle + SHIFT * np.array([width * np.cos(way), height * np.sin(way)])
    made = cv2.warpAffine(
        np.rint(made).astype(np.uint8),
        np.column_stack([to, shift]),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )
    if (scale := SIDE / max(height, width)) < 1:
        made = cv2.resize(made, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if hard:
        toned = (made / 255) ** rng.uniform(0.7, 1.4) + rng.normal(0, 0.015, made.shape)
        made = np.rint(255 * toned.clip(0, 1)).astype(np.uint8)
    return coded(made), repainted


def found_in(one: np.ndarray, other: np.ndarray) -> float:
    return register(*(comparable(color.rgb2lab(rgb)[..., 0]) for rgb in (one, other))).alike


def most_alike(photos: list[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each photo, and the one whose thumbnail is most like its own."""
    small = [cv2.resize(gray(rgb), (16, 16), interpolation=cv2.INTER_AREA) for rgb in photos]
    likeness = np.corrcoef(np.reshape(small, (len(small), -1)))
    np.fill_diagonal(likeness, -1)
    for rgb, row in zip(photos, likeness, strict=True):
        yield rgb, photos[int(row.argmax())]


def gray(rgb: np.ndarray) -> np.ndarray:
    """(H, W) uint8, of the same lightness."""
    return np.rint(255 * color.lab2rgb(color.rgb2lab(rgb) * (1, 0, 0))[..., 0]).astype(np.uint8)


def photo_rgb(photo: np.ndarray) -> np.ndarray:
    return np.dstack([photo] * 3)


def coded(rgb: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def decoded(tar: Path, limit: int) -> Iterator[np.ndarray]:
    with tarfile.open(tar) as archive:
        files = [one for one in archive if one.isfile()]
        for one in files[:: -(-len(files) // limit)]:
            yield decode(archive.extractfile(one).read())


def decode(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


if __name__ == "__main__":
    main()
