"""What hints are worth: PSNR over their number, beside the same hints spread along edges alone.

    python benchmarks/hints.py kodak24.tar --model colornet_lite_cross --plot hints.png

The photos are colored from their own lightness; a hint is the true color around a random place
(the mean of 7 x 7 pixels). Needs matplotlib for the plot, scikit-image for the oracle.
"""

import argparse
import io
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image
from skimage import color

from colorizer.inference.colorizer import Colorizer
from colorizer.inference.compose import compose, fit_chroma, resize
from colorizer.inference.hints import Hint, Hints
from colorizer.inference.predict import Seen
from colorizer.inference.propagate import EDGE, mark, solve
from colorizer.pictures.picture import Picture

COUNTS = (0, 1, 3, 10, 30)
WINDOW = 3  # pixels around a place
METHODS = {
    "ours": "carried to places alike, then along edges",
    "edges": "the same differences, along edges alone (Levin et al. 2004)",
    "alone": "the hints' colors along edges, without a network",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photos", type=Path, help="a tar of photos, or a folder")
    parser.add_argument("--model", default="colornet_lite_cross")
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    colorizer = Colorizer(args.model, threads=1)
    found: dict[tuple[str, int], list[float]] = {}
    seconds: list[float] = []
    for number, rgb in enumerate(photos(args.photos)):
        lab = color.rgb2lab(rgb).astype(np.float32)
        picture = Picture.open(gray(lab))
        small, _ = picture.thumbnail(0, colorizer.look_size(picture))
        seen = colorizer.see(small, picture, with_features=True)
        L = pyvips.Image.new_from_array(lab[..., 0])
        for draw in range(args.draws):
            rng = np.random.default_rng([number, draw])
            places = rng.random((max(COUNTS), 2))
            for count in COUNTS:
                hints = true_hints(lab, places[:count])
                begin = time.process_time()
                ours = colorizer.steer(seen, hints)
                if count == 10:
                    seconds.append(time.process_time() - begin)
                for method, (slope, offset) in {
                    "ours": ours,
                    "edges": along_edges(seen, hints, trusted=True),
                    "alone": along_edges(seen, hints, trusted=False),
                }.items():
                    made = compose(L, slope, offset, bits=8).numpy()
                    error = np.mean((made.astype(float) - rgb) ** 2)
                    found.setdefault((method, count), []).append(10 * np.log10(255**2 / error))
    report(found, seconds, number + 1, args.plot)


def photos(source: Path) -> Iterator[np.ndarray]:
    if source.is_dir():
        for path in sorted(path for path in source.iterdir() if path.is_file()):
            yield decoded(path.read_bytes())
        return
    with tarfile.open(source) as archive:
        for one in archive:
            if one.isfile():
                yield decoded(archive.extractfile(one).read())


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def gray(lab: np.ndarray) -> np.ndarray:
    neutral = np.concatenate([lab[..., :1], np.zeros_like(lab[..., 1:])], -1)
    return np.rint(255 * color.lab2rgb(neutral)).astype(np.uint8)


def true_hints(lab: np.ndarray, places: np.ndarray) -> Hints:
    height, width = lab.shape[:2]
    hints = []
    for x, y in places:
        row, column = int(y * height), int(x * width)
        near = lab[max(0, row - WINDOW) : row + WINDOW + 1, max(0, column - WINDOW) :][
            :, : 2 * WINDOW + 1, 1:
        ]
        hints.append(Hint(((x, y),), tuple(near.mean((0, 1)))))
    return Hints(tuple(hints))


def along_edges(seen: Seen, hints: Hints, *, trusted: bool) -> tuple[np.ndarray, np.ndarray]:
    """Slope and offset by least squares on the same grid, with edges in lightness only."""
    height, width = seen.features.shape[:2]
    marks = mark(hints, height, width)
    slope, offset = (v if trusted else np.zeros_like(v) for v in (seen.slope, seen.offset))
    now = resize(slope * seen.L[..., None] + offset, height, width).astype(float)
    L = resize(seen.L, height, width)[..., 0].astype(float)
    across, down = (np.exp(-(np.diff(L, axis=axis) ** 2) / (2 * EDGE**2)) for axis in (1, 0))
    hold = 1e-3 * trusted + 1e-9 + 100 * marks.hold
    change = solve(hold, across, down, (100 * marks.hold)[..., None] * (marks.ab - now))
    more = fit_chroma(seen.L, change.transpose(2, 0, 1))
    return slope + more[0], offset + more[1]


def report(
    found: dict[tuple[str, int], list[float]], seconds: list[float], count: int, plot: Path | None
) -> None:
    print(f"PSNR in dB, {count} photos, {len(found['ours', 0]) // count} draws\n")
    print("| | " + " | ".join(map(str, COUNTS)) + " |")
    print("|---|" + "---:|" * len(COUNTS))
    means = {key: float(np.mean(values)) for key, values in found.items()}
    for method, words in METHODS.items():
        print(f"| {words} | " + " | ".join(f"{means[method, n]:.2f}" for n in COUNTS) + " |")
    print(f"\n{1000 * np.median(seconds):.0f} ms of one core for ten hints")
    if plot:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 3.6), layout="constrained")
        axes = figure.subplots()
        for method, words in METHODS.items():
            axes.plot(
                range(len(COUNTS)), [means[method, n] for n in COUNTS], marker="o", label=words
            )
        axes.set_xticks(range(len(COUNTS)), COUNTS)
        axes.set(xlabel="hints", ylabel="PSNR (dB)")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
        figure.savefig(plot, dpi=110)


if __name__ == "__main__":
    main()
