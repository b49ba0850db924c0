"""How steady the colors of films are, and what a frame costs.

    python benchmarks/film.py steady [FILM ...]     warp error, consistency, PSNR, chroma
    python benchmarks/film.py speed                 CPU milliseconds of each stage, by size
    python benchmarks/film.py memory                peak memory by the number of frames

Without films, `steady` makes four from stills that scikit-image has: camera moves, grain, a lamp
that flickers, cuts and dissolves. Films of your own must be in color: their luma is colored, and
the result compared with them.
"""

import argparse
import resource
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from time import process_time

import av
import cv2
import numpy as np
from skimage import color, data

from colorizer.film import colorize_film
from colorizer.film.codecs import VideoWriter, choose
from colorizer.film.painter import Painter
from colorizer.film.planes import chroma_planes
from colorizer.film.shots import look_through
from colorizer.film.source import Film, frames, open_film
from colorizer.film.steadiness import ColorConsistency, WarpError
from colorizer.film.steady import Steady
from colorizer.film.tracking import Tracker
from colorizer.inference.steered import SteeredModel
from colorizer.options import DEFAULT_MODEL

STILLS = {
    "astronaut": data.astronaut,
    "chelsea": data.chelsea,
    "coffee": data.coffee,
    "rocket": data.rocket,
}
WIDTH, HEIGHT, RATE = 320, 240, 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["steady", "speed", "memory"])
    parser.add_argument("films", nargs="*", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--threads", type=int, default=1, help="frames in work at a time")
    args = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.what == "steady":
            measure_steadiness(args, Path(folder))
        elif args.what == "speed":
            measure_speed(args, Path(folder))
        else:
            measure_memory(args, Path(folder))


def measure_steadiness(args: argparse.Namespace, folder: Path) -> None:
    films = args.films or [
        write(folder / f"{name}.mkv", islice(make(), args.frames)) for name, make in MADE.items()
    ]
    model = SteeredModel(args.model, threads=args.threads)
    print("| film | colors | warp error | consistency x 1000 | PSNR | chroma | chroma kept |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for path in films:
        film = open_film(path)
        painter = Painter(film, model)
        grids, real = originals(film, painter, args.frames)
        found = islice(frames(film), args.frames)
        plan = look_through(film, found, painter, Tracker((), RATE), palettes=True)
        starts = set(plan.starts.tolist())
        alone = [painter.answer(grid) for grid in grids]
        shot = [painter.answer(grid, plan.prior(i)) for i, grid in enumerate(grids)]
        carried, ours = (list(steadied(grids, answers, starts)) for answers in (alone, shot))
        average = list(averaged(alone, starts))
        rows = {
            "the film's own": real,
            "each frame alone": alone,
            "moving average": average,
            "shot palette alone": shot,
            "carried alone": carried,
            "carried, shot palette": ours,
        }
        base = np.mean([np.linalg.norm(ab, axis=-1).mean() for ab in alone])
        for name, abs_ in rows.items():
            warp, consistency, psnr, chroma = numbers(grids, abs_, real, starts)
            kept = "" if name == "the film's own" else f"{chroma / base:.2f}"
            psnr = "" if name == "the film's own" else f"{psnr:.2f}"
            print(
                f"| {path.stem} | {name} | {warp:.3f} | {1000 * consistency:.2f} | {psnr}"
                f" | {chroma:.1f} | {kept} |",
                flush=True,
            )


def originals(film: Film, painter: Painter, count: int) -> tuple[list, list]:
    """L and real ab of the frames, on the grid."""
    grids = [painter.lightness(frame)[1] for frame in islice(frames(film), count)]
    real = []
    with av.open(film.path) as container:
        for frame in islice(container.decode(video=0), len(grids)):
            lab = color.rgb2lab(frame.to_ndarray(format="rgb24")).astype(np.float32)
            real.append(cv2.resize(lab, painter.grid, interpolation=cv2.INTER_AREA)[..., 1:])
    return grids, real


def steadied(grids: list, answers: list, starts: set[int]) -> Iterator[np.ndarray]:
    steady = Steady()
    for i, (grid, ab) in enumerate(zip(grids, answers, strict=True)):
        yield steady.step(grid, ab, i in starts)


def averaged(answers: list, starts: set[int], hold: float = 0.92) -> Iterator[np.ndarray]:
    """What is often done: a moving average in time, with no regard to motion."""
    held = None
    for i, ab in enumerate(answers):
        held = ab if held is None or i in starts else hold * held + (1 - hold) * ab
        yield held


def numbers(grids: list, abs_: list, real: list, starts: set[int]) -> tuple[float, ...]:
    warp, consistency = WarpError(), ColorConsistency()
    errors = []
    for i, (L, ab, true) in enumerate(zip(grids, abs_, real, strict=True)):
        warp.update(L, ab, i in starts)
        consistency.update(ab, i in starts)
        with warnings.catch_warnings():  # of colors that sRGB has not, which are clipped
            warnings.simplefilter("ignore")
            rgb, meant = (color.lab2rgb(np.dstack([L, x])) for x in (ab, true))
        errors.append(((rgb - meant) ** 2).mean())
    chroma = np.mean([np.linalg.norm(ab, axis=-1).mean() for ab in abs_])
    psnr = float(np.mean(10 * np.log10(1 / np.maximum(errors, 1e-10))))
    return warp.value, consistency.value, psnr, float(chroma)


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


MADE: dict[str, Callable[[], Iterator[np.ndarray]]] = {
    "pan, grain": pan,
    "hand, lamp": handheld,
    "zoom": zoom,
    "cuts, dissolves": edited,
}


def write(
    path: Path, pictures: Iterator[np.ndarray], size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Path:
    """A film in color, H.264 at high quality."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "8"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for picture in pictures:
            rgb = np.rint(picture).clip(0, 255).astype(np.uint8)
            if rgb.shape[1::-1] != size:
                rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC)
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def measure_speed(args: argparse.Namespace, folder: Path) -> None:
    """Each stage by itself, in CPU time, which other work on the machine hardly changes."""
    model = SteeredModel(args.model, threads=1)
    cv2.setNumThreads(1)
    stages = ("decode", "lightness", "network", "flow", "fit", "chroma", "encode")
    print(f"| size | {' | '.join(stages)} | sum |")
    print("|---|" + "---:|" * (len(stages) + 1))
    for width, height in ((640, 360), (1280, 720), (1920, 1080)):
        path = write(folder / f"{height}.mkv", islice(pan(), args.frames), (width, height))
        film = open_film(path)
        painter = Painter(film, model)
        target = choose(film, path, None, None)
        writer = VideoWriter(folder / f"{height}.nut", film, target, film.rate)
        steady, spent = Steady(), dict.fromkeys(stages, 0.0)
        found = frames(film)
        count = 0
        while True:
            laps = [process_time()]
            frame = next(found, None)
            if frame is None:
                break
            laps.append(process_time())
            L, grid = painter.lightness(frame)
            laps.append(process_time())
            ab = painter.answer(grid)
            laps.append(process_time())
            ab = steady.step(grid, ab)
            laps.append(process_time())
            slope, offset = painter.fit(grid, ab)
            laps.append(process_time())
            planes = chroma_planes(frame.luma, L, slope, offset, film.coding, 2, 2)
            laps.append(process_time())
            writer.write(frame.pts, (frame.luma, *planes))
            laps.append(process_time())
            for stage, begun, ended in zip(stages, laps, laps[1:], strict=False):
                spent[stage] += 1000 * (ended - begun)
            count += 1
        begun = process_time()
        writer.close()  # codes what it has looked ahead at
        spent["encode"] += 1000 * (process_time() - begun)
        cells = " | ".join(f"{spent[stage] / count:.0f}" for stage in stages)
        print(f"| {height}p | {cells} | {sum(spent.values()) / count:.0f} |", flush=True)


def measure_memory(args: argparse.Namespace, folder: Path) -> None:
    """One film after another, each longer: the peak of the process must not follow."""
    print("| frames | peak memory, MB |\n|---:|---:|")
    for count in (100, 1000, 10_000):
        if count > args.frames:
            break
        path = write(folder / f"{count}.mkv", islice(pan(), count), (96, 72))
        colorize_film(path, folder / f"out{count}.mkv", args.model, size=32, threads=args.threads)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {count:,} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
