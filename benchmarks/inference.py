"""Time and memory from the start of a process to the colored file, beside plain NumPy and Pillow.

    python benchmarks/inference.py [--model MODEL] [--megapixels 1 12 100] [--no-plain]

Each run is a process of its own, on a gray JPEG that is made here; seconds are wall-clock with
the imports, memory is the peak of the process. "plain" does the same mathematics on whole arrays:
Pillow decodes, resizes and encodes, NumPy does the rest in float32.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHAPES = {1: (1155, 866), 12: (4000, 3000), 100: (11547, 8660), 400: (23094, 17320)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="colornet18")
    parser.add_argument("--megapixels", type=int, nargs="+", default=[1, 12, 100], choices=SHAPES)
    parser.add_argument("--no-plain", action="store_true", help="leave out NumPy and Pillow")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)  # way, source, destination
    options = parser.parse_args()
    if options.one:
        way, source, destination = options.one
        {"ours": color_ours, "plain": color_plain}[way](source, destination, options.model)
        return
    print(f"{'megapixels':>10} {'way':>6} {'seconds':>8} {'CPU s':>7} {'memory MB':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for megapixels in options.megapixels:
            photo = make_photo(Path(folder), megapixels)
            for way in ["ours"] if options.no_plain else ["ours", "plain"]:
                figures = measure(way, photo, options.model)
                print(
                    f"{megapixels:>10} {way:>6} " + "{:>8.2f} {:>7.2f} {:>10.0f}".format(*figures)
                )


def make_photo(folder: Path, megapixels: int) -> Path:
    """A gray photo-like JPEG: soft shapes with grain."""
    import pyvips

    width, height = SHAPES[megapixels]
    path = folder / f"{megapixels}.jpg"
    shapes = pyvips.Image.perlin(width, height, cell_size=max(width // 8, 1)) * 60 + 128
    grain = pyvips.Image.gaussnoise(width, height, mean=0, sigma=4)
    (shapes + grain).cast("uchar").copy(interpretation="b-w").jpegsave(str(path), Q=90)
    return path


def measure(way: str, photo: Path, model: str) -> tuple[float, float, float]:
    """Wall-clock seconds, processor seconds and peak megabytes of one run in a new process."""
    out = photo.with_name(f"{photo.stem}-{way}.jpg")
    command = [sys.executable, __file__, "--model", model, "--one", way, str(photo), str(out)]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)  # the usage of this child alone
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the run of {way!r} on {photo.name} failed")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit


def color_ours(source: str, destination: str, model: str) -> None:
    from colorizer.inference.colorizer import colorize_file

    colorize_file(source, destination, model)


def color_plain(source: str, destination: str, model: str) -> None:
    """The same steps on whole arrays."""
    import numpy as np
    from PIL import Image

    from colorizer.inference.chroma import Network, find_model, pad, working_size
    from colorizer.inference.compose import RGB_TO_XYZ, fit_chroma

    Image.MAX_IMAGE_PIXELS = None
    photo = Image.open(source).convert("L")
    coded = np.arange(256, dtype=np.float32) / 255
    Y = np.where(coded > 0.04045, ((coded + 0.055) / 1.055) ** 2.4, coded / 12.92)
    table = np.where(Y > 0.008856, 116 * np.cbrt(Y) - 16, 903.292 * Y).astype(np.float32)
    L = table[np.asarray(photo)]

    network = Network(find_model(model))
    size = working_size(*photo.size, network.size)
    small = np.asarray(Image.fromarray(L).resize(size, Image.Resampling.BILINEAR))
    slope, offset = fit_chroma(pad(small), network(pad(small)))

    def enlarge(values):
        values = values[: small.shape[0], : small.shape[1]]
        return np.asarray(Image.fromarray(values).resize(photo.size, Image.Resampling.BILINEAR))

    a, b = (enlarge(slope[..., i]) * L + enlarge(offset[..., i]) for i in (0, 1))
    fy = (L + 16) / 116
    f = np.stack([fy + a / 500, fy, fy - b / 200], -1)
    xyz = np.where(f > 0.2068966, f**3, (f - 16 / 116) / 7.787) * RGB_TO_XYZ.sum(1)
    linear = (xyz @ np.linalg.inv(RGB_TO_XYZ).T).astype(np.float32)
    Y = xyz[..., 1:2].astype(np.float32)
    away = linear - Y
    above, below = away.max(-1, keepdims=True), -away.min(-1, keepdims=True)
    share = np.minimum((1 - Y) / np.maximum(above, 1e-9), Y / np.maximum(below, 1e-9)).clip(0, 1)
    linear = (Y + share * away).clip(0, 1)
    rgb = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    Image.fromarray(np.rint(rgb * 255).astype(np.uint8)).save(destination, quality=95)


if __name__ == "__main__":
    main()
