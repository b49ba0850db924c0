"""A part of one shot in color, as the whole film would have it, in a form that browsers play."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.errors import ColorizerError
from colorizer.extras import extra
from colorizer.film.codecs import describe, make_frame
from colorizer.film.decoding import sentence
from colorizer.film.painter import Painter
from colorizer.film.progress import progress
from colorizer.film.references import Backward, Carried, References, spread
from colorizer.film.segments import ColoredFrame, color_frames
from colorizer.film.shot_list import Listed, Shot
from colorizer.film.shots import look_through
from colorizer.film.source import Film, FilmFrame, stretch
from colorizer.film.steady import HOLD, Steady
from colorizer.film.tracking import Tracker
from colorizer.film.watch import View, Watch
from colorizer.inference.hints import Hints
from colorizer.support.files import whole

__all__ = ["write_shot"]

av: Any = extra("av", "video")
cv2: Any = extra("cv2", "video")

SIDE = 960  # pixels of the longer side, at most
_OPTIONS = {"deadline": "realtime", "cpu-used": "6", "crf": "20", "b": "0"}


def write_shot(
    film: Film,
    start: int,
    count: int,
    shot: Shot,
    references: Mapping[int, Path],
    painter: Painter,
    path: Path,
    scratch: Path,
    workers: int,
) -> int:
    """Write some frames of a shot in color, as WebM of VP9 with 8 bits; returns how many.

    It has no sound, and the palette of what is shown of the shot.

    Args:
        film: as for `stretch`.
        start: the time of the first frame, in ticks of the film.
        count: of the frames, all of one shot.
        shot: how it is colored.
        references: colored frames, by numbers that count from the first frame shown.
        painter: of the film.
        path: of the result, which appears whole or not at all.
        scratch: an empty folder.
        workers: frames in work at a time.

    Raises: ColorizerError as `colorize_film` does; UsageError for what the model does not take.
    """
    model = painter.model.with_options(**shot.options) if shot.options else painter.model
    listed = Listed((replace(shot, frame=0, dissolve=0),), (model,), "the shot")
    told = References(dict(references)) if references else None
    backward = Backward(told, scratch, painter) if told else None
    carried = Carried(told, scratch, painter) if told else None
    with progress(count, "looking") as bar:

        def looked(frame: FilmFrame) -> FilmFrame:
            bar.update()
            return frame

        findings = look_through(
            film,
            map(looked, stretch(film, start, count)),
            painter,
            Tracker((), float(film.rate)),
            palettes=True,
            shots=listed,
            starts=[0],
            backward=backward,
        )

    def see(view: View) -> tuple[np.ndarray, np.ndarray | None]:
        hints = Hints()
        if view.told is not None and painter.model.can_hint:
            hints = spread(view.told, painter)
        return painter.see(view.calm, findings.prior(view.frame.index), hints, model=model)

    found = stretch(film, start, count, kept=findings.is_kept)
    watch, steady = Watch(painter, findings, references=carried), Steady(HOLD)
    chroma = (2, 2)
    colored = color_frames(found, film, findings, see, watch, steady, workers, chroma)
    made = 0
    try:
        with (
            progress(len(findings.pts), "coloring") as bar,
            whole(path) as work,
            av.open(work, "w", format="webm") as container,
        ):
            screen = _Screen(film)
            stream = screen.stream(container)
            for one in colored:
                container.mux(stream.encode(screen.frame(one, made)))
                made += 1
                bar.update()
            container.mux(stream.encode())
    except ValueError as error:  # of FFmpeg's own errors, those that are no OSError
        raise ColorizerError(f"{path} cannot be written: {sentence(error)}") from error
    finally:
        colored.close()  # ty: ignore[missing-attribute] - a generator
    return made


class _Screen:
    """What is shown of a film: upright, its pixels square, no larger than a page, in 8 bits."""

    def __init__(self, film: Film) -> None:
        self._film = film
        scale = min(1, SIDE / max(film.upright))
        self.width, self.height = (max(2, round(side * scale / 2) * 2) for side in film.upright)

    def stream(self, container: Any) -> Any:
        """That of the pictures in a container, ready to encode."""
        film = self._film
        made = container.add_stream("libvpx-vp9", rate=film.rate, options=dict(_OPTIONS))
        made.width, made.height, made.pix_fmt = self.width, self.height, "yuv420p"
        describe(made.codec_context, film, film.rate)
        made.codec_context.sample_aspect_ratio = 1
        return made

    def frame(self, one: ColoredFrame, number: int) -> Any:
        """A colored frame as it is shown."""
        found = []
        for plane, part in zip((one.view.frame.luma, *one.planes), (1, 2, 2), strict=True):
            small = (plane >> (self._film.coding.bits - 8)).astype(np.uint8)
            upright = np.ascontiguousarray(self._film.orientation.upright(small))
            size = self.width // part, self.height // part
            how = cv2.INTER_AREA if size[0] < upright.shape[1] else cv2.INTER_LINEAR
            found.append(cv2.resize(upright, size, interpolation=how))
        frame = make_frame((found[0], found[1], found[2]), "yuv420p")
        frame.pts, frame.time_base = number, 1 / self._film.rate
        return frame
