"""What hints are worth: where a person would set one, and at random places.

    python benchmarks/hints.py --segments segments.tar --photos everyday.tar kodak24.tar \
        --model colornet_lite_cross --plot hints.png

The photos are colored from their own lightness; a hint is the true color around a place. With
segments (a photo `NAME.webp` and the labels of its things `NAME.png` each) it is set as a person
would: in the middle of the thing that is furthest off. Needs matplotlib for the plot, scikit-image
and SciPy for the oracle.
"""

import argparse
import io
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image
from scipy.ndimage import distance_transform_edt
from skimage import color

from colorizer.inference.colorizer import Colorizer
from colorizer.inference.compose import compose, fit_chroma, resize
from colorizer.inference.fixed_kernels import solve
from colorizer.inference.hints import Hint, Hints
from colorizer.inference.likeness import EVEN
from colorizer.inference.predict import Seen
from colorizer.inference.propagate import EDGE, mark
from colorizer.pictures.picture import Picture

COUNTS = (0, 1, 3, 10, 30)
RANDOM, PERSON = 3, 2  # pixels around a place whose mean is a hint
METHODS = {
    "ours": "as it ships",
    "by hand": "carried by fixed kernels, then along edges",
    "edges": "the same differences, along edges alone (Levin et al. 2004)",
    "alone": "the hints' colors along edges, without a network",
}
ORACLES = {
    "share": "the share of the hint's change that is best for each place, from the truth",
    "inside": "the same inside the thing, nothing outside",
    "mask": "all of the hint's change inside the thing, nothing outside",
}

Steer = Callable[[Seen, Hints], tuple[np.ndarray, np.ndarray]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="tars of photos")
    parser.add_argument("--segments", type=Path, help="a tar of photos and labels of their things")
    parser.add_argument("--model", default="colornet_lite_cross")
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--limit", type=int, default=50, help="photos of a tar, evenly spread")
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    colorizer = Colorizer(args.model, threads=1)
    steers: dict[str, Steer] = {
        "ours": colorizer.steer,
        "by hand": lambda seen, hints: colorizer.steer(replace(seen, alike=None), hints),
        "edges": lambda seen, hints: along_edges(seen, hints, trusted=True),
        "alone": lambda seen, hints: along_edges(seen, hints, trusted=False),
    }
    if args.segments:
        people(colorizer, args.segments, steers)
    found = {tar: at_random(colorizer, tar, steers, args.draws, args.limit) for tar in args.photos}
    if args.plot:
        plot(found, args.plot)


def people(colorizer: Colorizer, tar: Path, steers: dict[str, Steer]) -> None:
    """One hint in the middle of the thing that is furthest off."""
    rows: dict[str, list[list[float]]] = {method: [] for method in (*steers, *ORACLES)}
    for rgb, labels in segmented(tar):
        lab, seen, L = look(colorizer, rgb)
        before = chroma(L, *colorizer.steer(seen, Hints()))
        chosen = furthest_off(lab, before, labels)
        if chosen is None:
            continue
        thing, place, hint = chosen
        truth = lab[..., 1:]
        made = {method: chroma(L, *steer(seen, Hints((hint,)))) for method, steer in steers.items()}
        made |= oracles(before, truth, thing, place, hint)
        for method, after in made.items():
            moved = np.linalg.norm(after - before, axis=-1)
            much = moved > 0.5 * moved[place]
            errors = [np.linalg.norm(one - truth, axis=-1) for one in (before, after)]
            inside = [error[thing].mean() for error in errors]
            outside = [error[~thing].mean() for error in errors]
            leak, harm = (
                (much & ~thing & worse).sum() / max(1, much.sum())
                for worse in (True, errors[1] > errors[0])
            )
            gain = 10 * np.log10((errors[0] ** 2).mean() / (errors[1] ** 2).mean())
            rows[method].append([*inside, *outside, much[thing].mean(), leak, harm, gain])
    print(f"One hint where a person would set it, {len(rows['ours'])} photos of {tar.name}\n")
    columns = ["inside before", "inside", "outside before", "outside", "fill", "leak"]
    columns += ["harmful leak", "gain, dB", "worst tenth, dB"]
    print(f"| | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for method, values in rows.items():
        mean = np.mean(values, 0)
        gains = np.sort([value[7] for value in values])
        worst = gains[: max(1, len(gains) // 10)].mean()
        told = [f"{v:.1f}" for v in mean[:4]] + [f"{v:.0%}" for v in mean[4:7]]
        told += [f"{mean[7]:+.2f}", f"{worst:+.2f}"]
        print(f"| {(METHODS | ORACLES)[method]} | {' | '.join(told)} |")
    print()


def oracles(
    before: np.ndarray, truth: np.ndarray, thing: np.ndarray, place: tuple[int, int], hint: Hint
) -> dict[str, np.ndarray]:
    """What is made by who knows the truth, or where the thing ends, but can only share out a hint.

    So far and no further can any likeness get; `ORACLES` tells which is which.
    """
    change = np.asarray(hint.ab) - before[place] + EVEN * (before[place] - before)
    best = ((truth - before) * change).sum(-1) / np.maximum((change**2).sum(-1), 1e-6)
    share = best.clip(0, 1)
    shares = {"share": share, "inside": share * thing, "mask": thing}
    return {method: before + one[..., None] * change for method, one in shares.items()}


def at_random(
    colorizer: Colorizer, tar: Path, steers: dict[str, Steer], draws: int, limit: int
) -> dict[str, list[float]]:
    """PSNR for each method and number of hints at random places."""
    found: dict[tuple[str, int], list[float]] = {}
    seconds: list[float] = []
    for number, rgb in enumerate(photos(tar, limit)):
        lab, seen, L = look(colorizer, rgb)
        for draw in range(draws):
            places = np.random.default_rng([number, draw]).random((max(COUNTS), 2))
            for count in COUNTS:
                hints = Hints(tuple(true_hint(lab, place, RANDOM) for place in places[:count]))
                for method, steer in steers.items():
                    begin = time.process_time()
                    coloring = steer(seen, hints)
                    if method == "ours" and count == 10:
                        seconds.append(time.process_time() - begin)
                    made = compose(L, *coloring, bits=8).numpy()
                    error = np.mean((made.astype(float) - rgb) ** 2)
                    found.setdefault((method, count), []).append(10 * np.log10(255**2 / error))
    print(f"PSNR in dB, {number + 1} photos of {tar.name}, {draws} draws of places\n")
    print("| | " + " | ".join(map(str, COUNTS)) + " |")
    print("|---|" + "---:|" * len(COUNTS))
    means = {m: [float(np.mean(found[m, count])) for count in COUNTS] for m in steers}
    for method, values in means.items():
        print(f"| {METHODS[method]} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
    gains = np.sort(np.array(found["ours", 1]) - found["ours", 0])
    worst = gains[: max(1, len(gains) // 10)].mean()
    print(f"\none hint, the tenth that gains least: {worst:+.2f} dB")
    print(f"{1000 * np.median(seconds):.0f} ms of one core for ten hints\n")
    return means


def look(colorizer: Colorizer, rgb: np.ndarray) -> tuple[np.ndarray, Seen, pyvips.Image]:
    """Lab, what the model sees in its lightness, and that lightness at full size."""
    lab = color.rgb2lab(rgb).astype(np.float32)
    picture = Picture.open(gray(lab))
    small, _ = picture.thumbnail(0, colorizer.look_size(picture))
    seen = colorizer.see(small, picture, with_features=True)
    return lab, seen, pyvips.Image.new_from_array(lab[..., 0])


def chroma(L: pyvips.Image, slope: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """(H, W, 2), of what is composed."""
    return color.rgb2lab(compose(L, slope, offset, bits=8).numpy())[..., 1:]


def furthest_off(
    lab: np.ndarray, ab: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, tuple[int, int], Hint] | None:
    """The thing whose color is worst, its innermost place, and the true hint there.

    Of things of 2 to 35 % of the photo and of about one color: the highest mean error of chroma
    times the root of its share. None where there is no such thing.
    """
    truth, best = lab[..., 1:], (0.0, None)
    error = np.linalg.norm(ab - truth, axis=-1)
    for label in np.unique(labels):
        thing = labels == label
        share = thing.mean()
        spread = np.linalg.norm(truth[thing] - truth[thing].mean(0), axis=-1).mean()
        if 0.02 <= share <= 0.35 and spread < 10:
            best = max(best, (error[thing].mean() * np.sqrt(share), label), key=lambda b: b[0])
    if best[1] is None:
        return None
    thing = labels == best[1]
    inner = distance_transform_edt(np.pad(thing, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(np.argmax(inner), inner.shape)
    height, width = thing.shape
    place = ((column + 0.5) / width, (row + 0.5) / height)
    return thing, (int(row), int(column)), true_hint(lab, place, PERSON)


def photos(tar: Path, limit: int) -> Iterator[np.ndarray]:
    with tarfile.open(tar) as archive:
        files = [one for one in archive if one.isfile()]
        for one in files[:: -(-len(files) // limit)]:
            yield decoded(archive.extractfile(one).read())


def segmented(tar: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    with tarfile.open(tar) as archive:
        files = {one.name: one for one in archive if one.isfile()}
        for name in sorted(name for name in files if name.endswith(".png")):
            photo = archive.extractfile(files[name.removesuffix(".png") + ".webp"]).read()
            labels = np.asarray(Image.open(archive.extractfile(files[name])))
            yield decoded(photo), labels


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def gray(lab: np.ndarray) -> np.ndarray:
    neutral = np.concatenate([lab[..., :1], np.zeros_like(lab[..., 1:])], -1)
    return np.rint(255 * color.lab2rgb(neutral)).astype(np.uint8)


def true_hint(lab: np.ndarray, place: np.ndarray | tuple[float, float], around: int) -> Hint:
    height, width = lab.shape[:2]
    row, column = int(place[1] * height), int(place[0] * width)
    rows, columns = (slice(max(0, at - around), at + around + 1) for at in (row, column))
    return Hint((tuple(place),), tuple(lab[rows, columns, 1:].mean((0, 1))))


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


def plot(found: dict[Path, dict[str, list[float]]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(found), 3.6), layout="constrained")
    all_axes = figure.subplots(1, len(found), squeeze=False)[0]
    for axes, (tar, means) in zip(all_axes, found.items(), strict=True):
        for method, values in means.items():
            axes.plot(range(len(COUNTS)), values, marker="o", label=METHODS[method])
        axes.set_xticks(range(len(COUNTS)), COUNTS)
        axes.set(xlabel="hints at random places", ylabel="PSNR (dB)", title=tar.stem)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
