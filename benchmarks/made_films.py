"""Films in color that are made from stills, each with one thing that is hard to color steadily.

python benchmarks/made_films.py OUT [--frames 48]
"""

import argparse
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from skimage import data

STILLS = {
    "astronaut": data.astronaut,
    "chelsea": data.chelsea,
    "coffee": data.coffee,
    "rocket": data.rocket,
}
WIDTH, HEIGHT, RATE = 320, 240, 24
FLASH_AT = 12
"""Frame at which the flash begins."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="a folder")
    parser.add_argument("--frames", type=int, default=48)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, make in MADE.items():
        write(args.out / f"{name}.mkv", islice(make(), args.frames))


def window(still: np.ndarray, x: float, y: float, zoom: float, angle: float = 0.0) -> np.ndarray:
    """What a camera sees that looks at a place of a still: (HEIGHT, WIDTH, 3) float32, 0..255."""
    matrix = cv2.getRotationMatrix2D((x, y), angle, zoom)
    matrix[:, 2] += np.array([WIDTH / 2 - x, HEIGHT / 2 - y])
    seen = cv2.warpAffine(
        still, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return seen.astype(np.float32)


def pan() -> Iterator[np.ndarray]:
    """A slow pan over a face, with fine grain."""
    rng, still = np.random.default_rng(0), STILLS["astronaut"]()
    for i in range(10_000):
        x = 200 + 70 * np.sin(i / 40)
        yield window(still, x, 150, 0.9) + rng.normal(0, 4, (HEIGHT, WIDTH, 1))


def handheld() -> Iterator[np.ndarray]:
    """A camera in the hand, and a lamp that flickers."""
    rng, still = np.random.default_rng(1), STILLS["chelsea"]()
    x = y = angle = 0.0
    for _ in range(10_000):
        x, y, angle = (0.9 * v + rng.normal(0, s) for v, s in ((x, 2), (y, 2), (angle, 0.3)))
        seen = window(still, 225 + x, 150 + y, 1.1, angle)
        yield seen * (1 + rng.normal(0, 0.04)) + rng.normal(0, 2, (HEIGHT, WIDTH, 1))


def zoom() -> Iterator[np.ndarray]:
    """A zoom onto a cup."""
    still = STILLS["coffee"]()
    for i in range(10_000):
        yield window(still, 300, 200, 0.8 + 0.5 * (1 - np.cos(i / 60)))


def edited() -> Iterator[np.ndarray]:
    """Shots of sixteen frames, with cuts and dissolves between them in turn."""
    shots = [make() for make in (pan, zoom, handheld)]
    for i in range(10_000):
        number, at = divmod(i, 16)
        seen = next(shots[number % 3])
        share = (at - 9) / 7 if number % 2 and at > 9 else 0
        yield (1 - share) * seen + share * next(shots[(number + 1) % 3]) if share else seen


def street() -> Iterator[np.ndarray]:
    """A camera on a tripod: a cat and a cup pass before a wall of bricks and faces."""
    ground = cv2.resize(STILLS["astronaut"](), (400, 400))[60:300, 40:360].astype(np.float32)
    cat, cup = STILLS["chelsea"]()[40:240, 100:330], STILLS["coffee"]()[60:330, 180:480]
    rng = np.random.default_rng(3)
    for i in range(10_000):
        seen = ground.copy()
        for thing, size, x, y in (
            (cat, 90, -60 + 3 * i % 440, 130 + 8 * np.sin(i / 9)),
            (cup, 60, 330 - 2 * i % 420, 40),
        ):
            small = cv2.resize(thing, (size, size), interpolation=cv2.INTER_AREA)
            mask = np.zeros((size, size), np.float32)
            cv2.circle(mask, (size // 2, size // 2), size // 2 - 4, 1.0, -1)
            where = np.array([[1, 0, x], [0, 1, y]], np.float32)
            shown, alpha = (
                cv2.warpAffine(m.astype(np.float32), where, (WIDTH, HEIGHT)) for m in (small, mask)
            )
            alpha = cv2.GaussianBlur(alpha, (0, 0), 1)[..., None]
            seen = seen * (1 - alpha) + shown * alpha
        yield seen + rng.normal(0, 1.5, (HEIGHT, WIDTH, 1))


def old() -> Iterator[np.ndarray]:
    """The same on worn film: grain, a flickering lamp, a gate that weaves, scratches."""
    rng = np.random.default_rng(4)
    x = y = 0.0
    for seen in street():
        x, y = (0.6 * v + rng.normal(0, 2.2) for v in (x, y))
        where = np.array([[1, 0, np.clip(x, -6, 6)], [0, 1, np.clip(y, -6, 6)]], np.float32)
        seen = cv2.warpAffine(seen, where, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
        seen = seen * (1 + rng.uniform(-0.11, 0.11))
        for _ in range(rng.poisson(1.5)):
            column = rng.integers(2, WIDTH - 2)
            seen[:, column : column + 1] += rng.choice([-70, 90])
        grain = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)), (0, 0), 0.6)
        yield seen + 22 * (grain / grain.std())[..., None]


def fast() -> Iterator[np.ndarray]:
    """A pan of 18 pixels a frame, to and fro over 400 columns."""
    still = cv2.resize(STILLS["coffee"](), (900, 600))
    for i in range(10_000):
        x = abs((18 * i) % 1080 - 540) + 170
        yield window(still, x, 250, 1.0)


def flash() -> Iterator[np.ndarray]:
    """A lamp that is lit for two frames."""
    for i, seen in enumerate(street()):
        yield seen * 0.4 + 150 if i in (FLASH_AT, FLASH_AT + 1) else seen


def still_flash() -> Iterator[np.ndarray]:
    """The same before what stands still but for its grain: all change is a fault."""
    rng, seen = np.random.default_rng(5), next(street())
    for i in range(10_000):
        grainy = seen + rng.normal(0, 1.5, (HEIGHT, WIDTH, 1))
        yield grainy * 0.4 + 150 if i in (FLASH_AT, FLASH_AT + 1) else grainy


def dissolve() -> Iterator[np.ndarray]:
    """Two shots, the one fading into the other over 24 frames."""
    for i, (first, second) in enumerate(zip(street(), zoom(), strict=True)):
        share = np.clip((i - 11.5) / 24, 0, 1)
        yield (1 - share) * first + share * second


MADE: dict[str, Callable[[], Iterator[np.ndarray]]] = {
    "pan, grain": pan,
    "hand, lamp": handheld,
    "zoom": zoom,
    "cuts, dissolves": edited,
    "street": street,
    "old street": old,
    "fast pan": fast,
    "flash": flash,
    "flash, still": still_flash,
    "dissolve": dissolve,
}


def write(
    path: Path, pictures: Iterator[np.ndarray], size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Path:
    """A film in color, H.264 at high quality."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "8"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for picture in pictures:
            rgb: Any = np.rint(picture).clip(0, 255).astype(np.uint8)
            if rgb.shape[1::-1] != size:
                rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC)
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


if __name__ == "__main__":
    main()
