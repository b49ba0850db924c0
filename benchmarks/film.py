"""How steady the colors of films are, and what a frame costs.

    python benchmarks/film.py steady [FILM ...]      flicker, warp error, consistency, dE00, chroma
    python benchmarks/film.py references [FILM ...]  what a first frame in color tells of later ones
    python benchmarks/film.py speed                  CPU milliseconds of each stage, by size
    python benchmarks/film.py memory                 peak memory by the number of frames

Without films, `steady` makes ten from stills that scikit-image has: camera moves, grain, a lamp
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
from skimage import color

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
from colorizer.film.references import Carried, read_references, spread
from colorizer.film.segments import carried
from colorizer.film.shots import look_through
from colorizer.film.source import Film, frames, open_film, rgb_frames
from colorizer.film.steadiness import ColorConsistency, WarpError
from colorizer.film.steady import Steady
from colorizer.film.tracking import Tracker
from colorizer.film.watch import Watch
from colorizer.inference.network import pad
from colorizer.inference.steered import SteeredModel
from colorizer.options import DEFAULT_MODEL

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.made_films import FLASH_AT, MADE, RATE, pan, street, write

LATER = (6, 12, 24, 40)
"""Frames that are compared where the first one is given in color."""
MOVING = ("pan, grain", "hand, lamp", "zoom", "street", "fast pan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["steady", "references", "speed", "memory"])
    parser.add_argument("films", nargs="*", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--runs", type=int, default=3, help="of which `speed` tells the median")
    parser.add_argument("--threads", type=int, default=1, help="frames in work at a time")
    args = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.what == "steady":
            measure_steadiness(args, Path(folder))
        elif args.what == "references":
            measure_references(args, Path(folder))
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
    alone, ours, asked = [], [], 0
    for view in watch(islice(frames(film), count)):
        index = view.frame.index
        answer = None if view.known else painter.answer(view.calm, findings.prior(index))
        ours.append(carried(steady, findings, view, answer))
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


def measure_references(args: argparse.Namespace, folder: Path) -> None:
    """The first frame of each film is given in color; how far off are later ones?"""
    films = args.films or [
        write(folder / f"{name}.mkv", islice(MADE[name](), LATER[-1] + 1)) for name in MOVING
    ]
    model = SteeredModel(args.model, threads=args.threads)
    print(
        "| film | frame | untold | there by the network | there spread | all alone | all carried |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    means = []
    for path in films:
        film = open_film(path)
        painter = Painter(film, model)
        grids, real = originals(film, painter, LATER[-1] + 1)
        given = folder / f"{path.stem} in color"
        given.mkdir()
        av.VideoFrame.from_ndarray(next(rgb_frames(film)), "rgb24").save(given / "000000.png")
        told = Carried(read_references(given, film, len(grids)), folder / "none", painter)
        looked = islice(frames(film), len(grids))
        findings = look_through(film, looked, painter, Tracker((), RATE), palettes=True)
        seen, steady = Watch(painter, findings, references=told), Steady()
        for view in seen(islice(frames(film), len(grids))):
            i, likened = view.frame.index, spread(view.told, painter)
            prior = findings.prior(i)
            helped = painter.answer(view.calm, prior, likened)
            ours = carried(steady, findings, view, helped)
            if i in LATER and likened:
                open_ = view.told.weight < 0.3
                alone = painter.answer(view.calm, prior)
                off = [distance(grids[i], ab, real[i]) for ab in (alone, helped, ours)]
                row = [off[0][open_].mean(), off[1][open_].mean(), off[0].mean(), off[2].mean()]
                means.append(row)
                cells = " | ".join(f"{value:.2f}" for value in row)
                print(f"| {path.stem} | {i} | {open_.mean():.2f} | {cells} |", flush=True)
    cells = " | ".join(f"{value:.2f}" for value in np.mean(means, 0))
    print(f"| mean | | | {cells} |")


def distance(L: np.ndarray, ab: np.ndarray, real: np.ndarray) -> np.ndarray:
    """CIEDE2000 of two colorings of a lightness: (h, w)."""
    return color.deltaE_ciede2000(np.dstack([L, ab]), np.dstack([L, real]))


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
