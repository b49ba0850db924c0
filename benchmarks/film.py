"""How steady the colors of films are, and what a frame costs.

    python benchmarks/film.py steady [FILM ...]     flicker, warp error, consistency, dE00, chroma
    python benchmarks/film.py speed                 CPU milliseconds of each stage, by size
    python benchmarks/film.py memory                peak memory by the number of frames

Without films, `steady` makes nine from stills that scikit-image has: camera moves, grain, a lamp
that flickers, cuts and dissolves, passers-by, worn film, a flash. Films of your own must be in
color: their luma is colored, and the result compared with them.
"""

import argparse
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import wraps
from itertools import islice
from pathlib import Path
from time import process_time, thread_time
from typing import Any

import av
import cv2
import numpy as np
from skimage import color, data

from colorizer.film import (
    colorize_film,
    cuts,
    dissolves,
    painter,
    segments,
    source,
    watch,
)
from colorizer.film.codecs import VideoWriter
from colorizer.film.findings import Findings
from colorizer.film.painter import Painter
from colorizer.film.segments import FADING
from colorizer.film.shots import look_through
from colorizer.film.source import Film, frames, open_film
from colorizer.film.steadiness import ColorConsistency, WarpError
from colorizer.film.steady import Steady
from colorizer.film.tracking import Tracker
from colorizer.film.watch import Watch
from colorizer.inference.network import pad
from colorizer.inference.steered import SteeredModel
from colorizer.options import DEFAULT_MODEL

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
    parser.add_argument("what", choices=["steady", "speed", "memory"])
    parser.add_argument("films", nargs="*", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--runs", type=int, default=3, help="of which `speed` tells the median")
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
    print("| film | colors | static flicker | warp error | consistency x 1000 | dE00 | chroma |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for path in films:
        film = open_film(path)
        painter = Painter(film, model)
        grids, real = originals(film, painter, args.frames)
        alone, ours, findings, asked = colored(film, painter, args.frames)
        starts = set(findings.starts.tolist())
        for name, abs_ in (
            ("the film's own", real),
            ("each frame alone", alone),
            ("carried", ours),
        ):
            told = " | ".join(numbers(grids, abs_, real, starts))
            print(f"| {path.stem} | {name} | {told} |", flush=True)
        cuts = ", ".join(
            f"{s}{f' ({n})' * bool(n)}" for s, n in zip(starts, findings.fades, strict=True)
        )
        print(f"{path.stem}: looked at {asked} of {len(grids)}; shots {cuts}", file=sys.stderr)
        if path.stem in ("flash", "flash, still"):
            changes = ", ".join(f"{change_over_flash(abs_):.2f}" for abs_ in (real, ours))
            print(f"change over the flash, its own and carried: {changes}", file=sys.stderr)


def colored(film: Film, painter: Painter, count: int) -> tuple[list, list, Findings, int]:
    """Each frame alone, as `colorizer video` has them, its findings, and frames looked at."""
    found = islice(frames(film), count)
    findings = look_through(film, found, painter, Tracker((), RATE), palettes=True)
    watch, steady = Watch(painter, findings), Steady()
    aside = set(findings.aside.tolist())
    alone, ours, asked = [], [], 0
    for view in watch(islice(frames(film), count)):
        index = view.frame.index
        answer = None if view.known else painter.answer(view.calm, findings.prior(index))
        hold = steady.hold ** (1 + FADING * findings.fading(index)[0])
        ours.append(steady.step(view.calm, answer, view.motion, None, index in aside, hold))
        alone.append(painter.answer(view.grid))
        asked += not view.known
    return alone, ours, findings, asked


def originals(film: Film, painter: Painter, count: int) -> tuple[list, list]:
    """L and real ab of the frames, on the grid."""
    grids = [painter.lightness(frame)[1] for frame in islice(frames(film), count)]
    real = []
    with av.open(film.path) as container:
        for frame in islice(container.decode(video=0), len(grids)):
            lab = color.rgb2lab(frame.to_ndarray(format="rgb24")).astype(np.float32)
            real.append(cv2.resize(lab, painter.grid, interpolation=cv2.INTER_AREA)[..., 1:])
    return grids, real


def numbers(grids: list, abs_: list, real: list, starts: set[int]) -> tuple[str, ...]:
    warp, consistency = WarpError(), ColorConsistency()
    flicker, errors, last = [], [], None
    for i, (L, ab, true) in enumerate(zip(grids, abs_, real, strict=True)):
        warp.update(L, ab, i in starts)
        consistency.update(ab, i in starts)
        ours, meant = (np.dstack([L, x])[::3, ::3] for x in (ab, true))
        errors.append(color.deltaE_ciede2000(ours, meant).mean())
        calm = cv2.GaussianBlur(L, (0, 0), 3)
        if last is not None and i not in starts:
            still = np.abs(calm - last[0]) < 1
            if still.mean() > 0.01:
                flicker.append(np.linalg.norm(ab - last[1], axis=-1)[still].mean())
        last = calm, ab
    chroma = np.mean([np.linalg.norm(ab, axis=-1).mean() for ab in abs_])
    return (
        f"{np.mean(flicker):.3f}" if flicker else "",
        f"{warp.value:.3f}",
        f"{1000 * consistency.value:.2f}",
        f"{np.mean(errors):.2f}" if abs_ is not real else "",
        f"{chroma:.1f}",
    )


def change_over_flash(abs_: list) -> float:
    """How far colors of the frame before the flash are from those behind it, in Lab units."""
    before, behind = abs_[FLASH_AT - 1], abs_[FLASH_AT + 2]
    return float(np.linalg.norm(behind - before, axis=-1).mean())


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


SIZES = {"360p": (480, 352), "720p": (1280, 720), "1080p": (1920, 1080)}
STAGES = {
    "decode": [(source, "_in_order")],
    "network": [(Painter, "answer")],
    "flow": [(watch, "motion_between"), (Steady, "step")],
    "cuts": [(cuts, "is_cut"), (dissolves.Dissolves, "add")],
    "lightness": [(Painter, "lightness")],
    "fit": [(painter, "fit_chroma")],
    "chroma": [(segments, "chroma_planes")],
    "H.264": [(VideoWriter, "write"), (VideoWriter, "close")],
}
"""What is timed, and in which functions; FFmpeg's own threads are in the rest."""


def measure_speed(args: argparse.Namespace, folder: Path) -> None:
    """Whole runs of `colorize_film`, in CPU time: the median of some, and where one went.

    The yardstick is one look of the network at 480 x 352, in the same minute: on a busy machine all
    of it takes longer.
    """
    cv2.setNumThreads(1)
    spent = dict.fromkeys(STAGES, 0.0)
    for stage, places in STAGES.items():
        for holder, name in places:
            setattr(holder, name, timed(getattr(holder, name), spent, stage))
    print(f"| size | {' | '.join(STAGES)} | rest | all | one look |")
    print("|---|" + "---:|" * (len(STAGES) + 3))
    for size, (width, height) in SIZES.items():
        path = write(folder / f"{height}.mkv", islice(street(), args.frames), (width, height))
        runs = []
        for _ in range(args.runs):
            spent.update(dict.fromkeys(STAGES, 0.0))
            begun = process_time()
            colorize_film(path, folder / "out.mkv", args.model, threads=1, overwrite=True)
            whole = process_time() - begun
            runs.append([*spent.values(), whole - sum(spent.values()), whole, look(args.model)])
        cells = np.median(np.array(runs), 0) * 1000
        cells[:-1] /= args.frames
        print(f"| {size} | {' | '.join(f'{cell:.0f}' for cell in cells)} |", flush=True)


def timed(work: Callable[..., Any], spent: dict[str, float], stage: str) -> Callable[..., Any]:
    """The same, its CPU time in this thread counted; of a generator, that of its steps."""

    @wraps(work)
    def counted(*args: Any, **options: Any) -> Any:
        begun = thread_time()
        try:
            found = work(*args, **options)
        finally:
            spent[stage] += thread_time() - begun
        return steps(found) if isinstance(found, Iterator) else found

    def steps(found: Iterator[Any]) -> Iterator[Any]:
        while True:
            begun = thread_time()
            try:
                value = next(found)
            except StopIteration:
                return
            finally:
                spent[stage] += thread_time() - begun
            yield value

    return staticmethod(counted) if isinstance(work, staticmethod) else counted


def look(model: str) -> float:
    """CPU seconds of one look at a picture of 480 x 352, in one thread; the median of seven."""
    steered, L = SteeredModel(model, threads=1), np.tile(np.arange(262.0), (192, 1)) / 2.62
    seconds = []
    for _ in range(7):
        begun = process_time()
        steered.network(pad(L))
        seconds.append(process_time() - begun)
    return float(np.median(seconds))


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
