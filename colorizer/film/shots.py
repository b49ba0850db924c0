"""The first reading of a film: its times, its shots, and the palette of each."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from colorizer.color import gamut
from colorizer.color.has_color import FRAME_CHROMA
from colorizer.errors import ColorizerError, UsageError
from colorizer.extras import extra
from colorizer.film.cuts import placed
from colorizer.film.dissolves import Dissolve, Dissolves
from colorizer.film.findings import Findings
from colorizer.film.painter import Painter, Prior
from colorizer.film.references import Backward
from colorizer.film.shot_list import Listed, Shot
from colorizer.film.source import Film, FilmFrame
from colorizer.film.titles import are_titles
from colorizer.film.tracking import Tracker

__all__ = ["NothingError", "look_through"]

cv2: Any = extra("cv2", "video")

SAMPLES = 6
"""Frames of a shot, at most, whose colors make its palette; evenly spread."""

AGAIN = 2  # of them, at most, that are looked at again with the palette
GAINS = 0.7, 1.3  # bounds of the factor that keeps their chroma
BLUR = 10.0  # Lab units, of a palette
EVEN = 0.3  # share of the even distribution in both palettes that are compared
FORCE = 0.25  # power of their ratio
BALANCE = 0.5, 2.0  # bounds of the factor that keeps the chroma
BLOCK = 16  # pixels, in which grain is measured
CALMEST = 20  # percent of the blocks
GRAY = 12.0  # Lab units of chroma, up to which a color counts as gray


class NothingError(ColorizerError):
    """There is no frame that can be decoded."""


def look_through(
    film: Film,
    frames: Iterable[FilmFrame],
    painter: Painter,
    tracker: Tracker,
    palettes: bool,
    *,
    shots: Listed | None = None,
    starts: Sequence[int] | None = None,
    keep_color: bool = False,
    backward: Backward | None = None,
) -> Findings:
    """Read a film once: find its cuts, from some frames of each shot its palette, follow hints.

    Args:
        film: what is read.
        frames: all of them.
        painter: of the film.
        tracker: follows the hints.
        palettes: whether shots get palettes, where the model can.
        shots: as a person wants them; None finds them.
        starts: the first frame of each of those.
        keep_color: whether shots in color are kept as they are.
        backward: carries references back; a shot that has some has their palette.

    Raises: ColorizerError: there is no frame, or a shot that is listed begins behind the last.
    """
    typical = painter.model.typical() if palettes else None
    tick = float(film.time_base)
    pts: list[int] = []
    levels: list[tuple[float, float]] = []
    found: list[_Shot] = []
    priors: list[np.ndarray] = []
    gains: list[float] = []
    grains: list[float] = []
    aside: list[int] = []
    length = 0

    def close() -> None:
        """Make the palette of the last shot, measure its grain, and forget its frames."""
        if not found:
            return
        grids = [grid for _, grid in found[-1].samples]
        found[-1].samples.clear()
        grains.append(float(np.median([_grain(grid) for grid in grids])))
        told, number = found[-1].told, len(found) - 1
        steered = shots is not None and shots.shots[number].options
        gain = 0.0 if palettes and not told and not steered and are_titles(grids) else 1.0
        if typical is not None:
            model = painter.model if shots is None else shots.models[number]
            answers = told or [painter.answer(grid, model=model) for grid in grids]
            priors.append(_palette(answers, typical))
            if gain and not told:  # few hues are more vivid than a wavering between many
                some = range(0, len(grids), -(-len(grids) // AGAIN))
                lean = Prior(priors[-1])
                seen = [_vivid(painter.answer(grids[i], lean, model=model)) for i in some]
                gain = sum(_vivid(answers[i]) for i in some) / max(sum(seen), 1e-6)
                gain = float(np.clip(gain, *GAINS))
        gains.append(gain)
        told.clear()

    dissolves = Dissolves()

    def part(dissolve: Dissolve | None) -> None:
        """Make two shots of the last one, where it has turned out to be."""
        if dissolve is None or dissolve.start <= found[-1].start:
            return
        second = found[-1].parted(dissolve)
        if second.samples and found[-1].samples:
            close()
            found.append(second)

    looked = ((frame, painter.lightness(frame)[1]) for frame in frames)
    for frame, grid, place in placed(looked, None if starts is None else set(starts)):
        if place == "cut":
            part(dissolves.cut())
            close()
            fade = 0 if shots is None else shots.shots[len(found)].dissolve
            found.append(_Shot(frame.index, fade))
        shot = found[-1]
        if place == "aside":
            aside.append(frame.index)
        else:
            shot.add(frame, grid)
            if starts is None:
                part(dissolves.add(frame.index, grid))
        length = frame.duration
        pts.append(frame.pts)
        levels.append((float(grid.mean()), float(grid.std())))
        if place != "aside":
            time = (frame.pts - pts[0]) * tick
            own = None if backward is None else backward.add(frame.index, grid, place == "cut")
            if own is not None:
                found[-1].told.append(own[:: len(own) // 64 + 1, :: len(own) // 64 + 1])
            tracker.add(frame.index, time, painter.upright(grid), place == "cut")
    part(dissolves.cut())
    close()
    if not pts:
        raise NothingError(f"{film} has no frame that can be decoded")
    if shots is not None and len(found) < len(shots.shots):
        raise UsageError(
            f"{shots.name}: shot {len(found) + 1} begins behind the last frame of the film, which"
            f" is {len(pts) - 1}"
        )
    wanted = shots.shots if shots is not None else (Shot(),) * len(found)
    kept = [
        keep_color and shot.in_color if one.keep is None else one.keep
        for shot, one in zip(found, wanted, strict=True)
    ]
    notes = tracker.lost()
    titles = sum(gain == 0 and not k for gain, k in zip(gains, kept, strict=True))
    if titles:
        told = "1 shot looks like a title" if titles == 1 else f"{titles} shots look like titles"
        notes.append(
            f"{told}, white on black, and gray it stays; a list of shots that sets an option of"
            " theirs, such as vividness, colors it"
        )
    return Findings(
        np.array(pts, np.int64),
        pts[-1] + (length or max(1, round(1 / (film.rate * film.time_base)))),
        np.array([shot.start for shot in found], np.int64),
        np.array(priors, np.float32) if priors else np.zeros((len(found), 0), np.float32),
        np.array(gains, np.float32),
        np.array([shot.fade for shot in found], np.int64),
        np.array(kept, bool),
        np.array(levels, np.float32),
        np.array(grains, np.float32),
        np.array(aside, np.int64),
        colored=any(s.chroma > FRAME_CHROMA and not k for s, k in zip(found, kept, strict=True)),
        hints=tracker.found,
        notes=tuple(notes),
    )


class _Shot:
    """What is gathered of a shot.

    Its frames are of unknown number, and some are kept, evenly spread: half of those are dropped
    when there are too many.
    """

    def __init__(self, start: int, fade: int = 0) -> None:
        self.start, self.fade = start, fade
        self.samples: list[tuple[int, np.ndarray]] = []
        self.told: list[np.ndarray] = []
        self.chroma = 0.0
        self._every = 1
        self._seen = self._in_color = 0

    def add(self, frame: FilmFrame, grid: np.ndarray) -> None:
        if self._seen % self._every == 0:
            if len(self.samples) == SAMPLES:
                self.samples = self.samples[::2]
                self._every *= 2
            if self._seen % self._every == 0:
                self.samples.append((frame.index, grid))
        self._seen += 1
        self.chroma = max(self.chroma, frame.chroma)
        self._in_color += frame.chroma > FRAME_CHROMA and not frame.toned

    def parted(self, dissolve: Dissolve) -> "_Shot":
        """What belongs to the shot that comes in; the rest stays here."""
        second = _Shot(dissolve.start, dissolve.length)
        second.__dict__ |= {k: v for k, v in vars(self).items() if k.startswith("_")}
        second.chroma = self.chroma
        second.samples = [one for one in self.samples if one[0] >= dissolve.start]
        self.samples = [one for one in self.samples if one[0] < dissolve.start]
        return second

    @property
    def in_color(self) -> bool:
        """Whether most of its frames have colors of their own, of several hues."""
        return self._in_color > self._seen / 2


def _grain(L: np.ndarray) -> float:
    """Standard deviation of what has no structure in a lightness: of its calmest places.

    By the mask of Immerkaer, "Fast Noise Variance Estimation" (1996), which edges and slopes leave
    out, in blocks; what is black or white has lost its grain, and does not count.
    """
    height, width = (side // BLOCK * BLOCK for side in L.shape)
    if not height or not width:
        return 0.0
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    rough = np.abs(cv2.filter2D(L, -1, mask, borderType=cv2.BORDER_REFLECT))[:height, :width]
    size = width // BLOCK, height // BLOCK
    rough, light = (
        cv2.resize(values, size, interpolation=cv2.INTER_AREA)
        for values in (rough, L[:height, :width])
    )
    seen = rough[(light > 4) & (light < 96)]
    if not seen.size:
        return 0.0
    return float(np.percentile(seen, CALMEST)) * np.sqrt(np.pi / 2) / 6


def _vivid(ab: np.ndarray) -> float:
    """Mean chroma of (h, w, 2)."""
    return float(np.linalg.norm(ab, axis=-1).mean())


def _palette(answers: list[np.ndarray], typical: np.ndarray) -> np.ndarray:
    """Factors on the color bins that lean to the hues of a shot: (Q,).

    Only colors are weighed against each other, and so much against gray that the shot's mean
    chroma stays what it is.
    """
    ab = np.concatenate([answer.reshape(-1, 2) for answer in answers])
    share, usual = (gamut.smooth_prior(h, BLUR) for h in (gamut.histogram(ab), typical))
    even = EVEN / len(typical)
    lean = (((1 - EVEN) * share + even) / ((1 - EVEN) * usual + even)) ** FORCE
    chroma = np.linalg.norm(gamut.bins(), axis=1)
    colored = chroma > GRAY
    lean[~colored] = 1
    leaning = share * lean
    # the mean of `chroma` under `leaning`, its colored part times `balance`, is that under `share`
    over = chroma - (share * chroma).sum() / share.sum()
    above, below = (leaning * over)[colored].sum(), -(leaning * over)[~colored].sum()
    balance = below / above if min(above, below) > 0 else 1.0
    lean[colored] *= np.clip(balance, *BALANCE)
    return lean
