"""A silent film as an archive has them, and what became of it, to be looked at.

    python benchmarks/silent_film.py make OLD.mkv [CLIP ...]    three minutes, made from stills
    colorizer video OLD.mkv COLORED.mkv --report REPORT.json
    python benchmarks/silent_film.py sheet COLORED.mkv REPORT.json SHEET.png [--shots 4,5]

The film has 640 x 480 pixels at 18 frames a second: intertitles, an iris, a toned shot, cuts,
dissolves, fades, a flash, a fast pan; all with grain, flicker, weave, dust and scratches. Its
scenes are camera moves over pictures of scikit-image and Matplotlib, and clips in color that you
name. The sheet has a row of frames for each shot.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any

import av
import cv2
import matplotlib.cbook
import numpy as np
from skimage import data

from colorizer.film.source import open_film, rgb_frames

WIDTH, HEIGHT, RATE = 640, 480, 18
SEPIA = (1.0, 0.86, 0.66)
LIGHT = (0.299, 0.587, 0.114)  # of red, green and blue; old stock saw less red
ACROSS, SMALL = 6, (320, 240)

Frames = Iterator[np.ndarray]  # (HEIGHT, WIDTH) float32, 0..255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["make", "sheet"])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--shots", help="numbers of the shots on the sheet, from 0 on")
    args = parser.parse_intermixed_args()
    if args.what == "make":
        make(args.files[0], args.files[1:], args.seconds * RATE)
    else:
        film, report, sheet = args.files
        wanted = args.shots and [int(number) for number in args.shots.split(",")]
        write_sheet(film, report, sheet, wanted)


def make(path: Path, clips: list[Path], count: int) -> None:
    with av.open(path, "w") as container:
        stream: Any = container.add_stream(
            "libx264", rate=RATE, options={"crf": "15", "preset": "veryfast"}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for picture, toned in islice(worn(edited(clips)), count):
            tone = np.array(SEPIA if toned else (1.0, 1.0, 1.0))
            rgb: Any = np.rint(picture[..., None] * tone).clip(0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        container.mux(stream.encode())


def edited(clips: list[Path]) -> Iterator[tuple[np.ndarray, bool]]:
    """The film before it was worn; and which frames are toned."""
    titles = cycle(
        [
            ["THE CAT", "AND THE ROCKET", "", "a film in four parts"],
            ['"Sir, have you seen', 'the cameraman?"'],
            ["Meanwhile, over coffee"],
            ["THE LAUNCH"],
            ["The next morning ..."],
            ["THE END"],
        ]
    )
    while True:
        yield from plain(title(next(titles)), 4)
        yield from plain(iris(moved(data.chelsea(), (150, 90), (260, 130), (1.9, 2.4))), 9)
        yield from plain(moved(data.astronaut(), (190, 170), (260, 150), (1.5, 1.5)), 8)
        yield from plain(moved(data.camera(), (200, 220), (320, 240), (1.5, 1.3)), 9)
        yield from plain(title(next(titles)), 4)
        coffee = moved(data.coffee(), (290, 200), (310, 210), (1.3, 2.0))
        portrait = moved(hopper(), (255, 200), (255, 260), (1.35, 1.5))
        yield from plain(dissolved(coffee, portrait, 7), 15)
        yield from plain(title(next(titles)), 3)
        rocket = moved(data.rocket(), (320, 330), (320, 120), (1.1, 1.4))
        yield from plain(flashed(rocket, 5), 9)
        for clip in clips:
            yield from plain(clipped(clip), 8)
        yield from ((seen, True) for seen in islice(street(), 8 * RATE))
        yield from plain(moved(data.stereo_motorcycle()[0], (260, 250), (480, 240), (1.2, 1.2)), 9)
        yield from plain(moved(data.coffee(), (150, 200), (450, 200), (2.4, 2.4), 2), 4)
        yield from plain(faded(street(), 7), 7)


def plain(frames: Frames, seconds: float) -> Iterator[tuple[np.ndarray, bool]]:
    return ((seen, False) for seen in islice(frames, round(seconds * RATE)))


def gray(picture: np.ndarray) -> np.ndarray:
    return (picture if picture.ndim == 2 else picture @ np.array(LIGHT)).astype(np.float32)


def hopper() -> np.ndarray:
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        return cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def moved(
    picture: np.ndarray,
    start: tuple[float, float],
    end: tuple[float, float],
    zoom: tuple[float, float],
    seconds: float = 8,
) -> Frames:
    """A camera that goes over a picture from one place to another, slowly at both ends."""
    still = gray(picture)
    for i in range(10_000):
        share = 0.5 - 0.5 * np.cos(np.pi * min(1.0, i / (seconds * RATE)))
        x, y, size = (
            (1 - share) * a + share * b
            for a, b in zip((*start, zoom[0]), (*end, zoom[1]), strict=True)
        )
        matrix = np.array([[size, 0, WIDTH / 2 - size * x], [0, size, HEIGHT / 2 - size * y]])
        yield cv2.warpAffine(
            still, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )


def title(lines: list[str]) -> Frames:
    """White letters on black, within a thin frame."""
    card = np.full((HEIGHT, WIDTH), 6, np.uint8)
    cv2.rectangle(card, (40, 40), (WIDTH - 40, HEIGHT - 40), 150, 2)
    for i, line in enumerate(lines):
        (width, _), _ = cv2.getTextSize(line, cv2.FONT_HERSHEY_COMPLEX, 1.2, 2)
        at = (WIDTH - width) // 2, HEIGHT // 2 + 50 * i - 25 * len(lines) + 40
        cv2.putText(card, line, at, cv2.FONT_HERSHEY_COMPLEX, 1.2, 235, 2, cv2.LINE_AA)
    return cycle([cv2.GaussianBlur(card.astype(np.float32), (0, 0), 0.8)])


def iris(frames: Frames) -> Frames:
    """Opens over two seconds, as a round hole in black."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    away = np.hypot(x - WIDTH / 2, y - HEIGHT / 2)
    for i, seen in enumerate(frames):
        yield 5 + (seen - 5) * ((20 + 450 * i / (2 * RATE) - away) / 12).clip(0, 1)


def dissolved(first: Frames, second: Frames, seconds: float) -> Frames:
    for i, seen in enumerate(first):
        share = min(1.0, max(0.0, (i - seconds * RATE) / RATE))
        yield (1 - share) * seen + share * next(second) if share else seen


def flashed(frames: Frames, second: int) -> Frames:
    for i, seen in enumerate(frames):
        yield seen * 0.35 + 160 if i - second * RATE in (0, 1) else seen


def faded(frames: Frames, seconds: float) -> Frames:
    """In over a second, and out over the last two."""
    for i, seen in enumerate(frames):
        yield seen * min(1.0, i / RATE, max(0.0, (seconds - i / RATE) / 2))


def clipped(clip: Path) -> Frames:
    """A clip, forth and back, so that it lasts."""
    shown = [gray(rgb) for rgb in islice(rgb_frames(open_film(clip)), 72)]
    for seen in cycle(chain(shown, shown[::-1])):
        scale = max(WIDTH / seen.shape[1], HEIGHT / seen.shape[0])
        big = cv2.resize(seen, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        top, left = (big.shape[0] - HEIGHT) // 2, (big.shape[1] - WIDTH) // 2
        yield big[top : top + HEIGHT, left : left + WIDTH]


def street() -> Frames:
    """A cat passes before a woman, on a tripod."""
    ground = cv2.resize(gray(data.astronaut()), (800, 800))[60 : 60 + HEIGHT, 40 : 40 + WIDTH]
    cat = cv2.resize(gray(data.chelsea()[40:240, 100:330]), (180, 180))
    mask = cv2.circle(np.zeros((180, 180), np.float32), (90, 90), 80, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 3)
    for i in range(10_000):
        where = np.array([[1, 0, -150 + 6 * i % 900], [0, 1, 280 + 10 * np.sin(i / 5)]], np.float32)
        shown, alpha = (cv2.warpAffine(values, where, (WIDTH, HEIGHT)) for values in (cat, mask))
        yield ground * (1 - alpha) + shown * alpha


def worn(frames: Iterator[tuple[np.ndarray, bool]]) -> Iterator[tuple[np.ndarray, bool]]:
    """Grain, a lamp that flickers, a gate that weaves, dust, scratches, a dark edge."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    edge = (1 - 0.25 * (x**2 + y**2) ** 1.5 / 2).astype(np.float32)
    across = down = 0.0
    scratch = 200.0
    grains = [
        cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 0.8)
        for _ in range(24)
    ]
    for seen, toned in frames:
        across, down = (0.6 * v + rng.normal(0, 0.8) for v in (across, down))
        where = np.array([[1, 0, across], [0, 1, down]], np.float32)
        seen = cv2.warpAffine(seen, where, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
        seen = cv2.GaussianBlur(seen, (0, 0), 0.8) * edge * (1 + rng.normal(0, 0.04))
        scratch = (scratch + rng.normal(0, 1.5)) % WIDTH
        seen[:, int(scratch) : int(scratch) + 1] += 50
        for _ in range(rng.poisson(1.0)):
            at = int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT))
            cv2.circle(seen, at, int(rng.integers(1, 5)), float(rng.choice([20, 230])), -1)
        grain = np.roll(grains[rng.integers(24)], rng.integers(0, HEIGHT, 2), (0, 1))
        yield 8 + 0.94 * seen + 7 * grain / grain.std() * (0.4 + seen / 255), toned


def write_sheet(film: Path, report: Path, sheet: Path, wanted: list[int] | None) -> None:
    """A row of frames for each shot, evenly spread, the first one of each at its start."""
    told = json.loads(report.read_text())
    starts = [shot["frame"] for shot in told["shots"]]
    ends = [*starts[1:], told["frames"]]
    chosen = range(len(starts)) if wanted is None else wanted
    places = {s: np.linspace(starts[s], ends[s] - 1, ACROSS).astype(int) for s in chosen}
    needed = {int(i) for row in places.values() for i in row}
    shown = {
        i: cv2.resize(rgb, SMALL, interpolation=cv2.INTER_AREA)
        for i, rgb in enumerate(rgb_frames(open_film(film)))
        if i in needed
    }
    rows = []
    for s, row in places.items():
        line = np.hstack([shown[int(i)] for i in row])
        name = f"{s}: frames {starts[s]} to {ends[s] - 1}"
        cv2.putText(line, name, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 0), 1)
        rows.append(line)
    cv2.imwrite(str(sheet), np.vstack(rows)[..., ::-1])


if __name__ == "__main__":
    main()
