"""How colored frames are coded, and what each coding can hold."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from colorizer.errors import UsageError
from colorizer.extras import extra
from colorizer.film.source import Film

__all__ = ["CODECS", "Encoding", "VideoWriter", "add_video", "choose", "describe"]

av: Any = extra("av", "video")

THREADS = 4
"""Of the encoder: a fixed number, since the bytes of some encoders depend on it."""


@dataclass(frozen=True)
class Codec:
    """One way to code.

    Attributes:
        encoder: FFmpeg's name of it.
        crf: the default quality, at which no loss can be seen; None: it is lossless.
        worst: the highest number that `--crf` takes.
        bits: of luma, that it holds.
        options: of the encoder.
    """

    encoder: str
    crf: int | None
    worst: int
    bits: tuple[int, ...]
    options: dict[str, str] = field(default_factory=dict)


# No frame is coded before the one that it follows (B-frames): so segments that were coded at
# different times join without a seam, and every container keeps the presentation times.
CODECS = MappingProxyType(
    {
        "h264": Codec("libx264", 19, 51, (8, 10), {"preset": "veryfast", "bf": "0"}),
        "hevc": Codec(
            "libx265",
            19,
            51,
            (8, 10, 12),
            {"preset": "medium", "x265-params": "bframes=0:frame-threads=2:log-level=none"},
        ),
        "vp9": Codec(
            "libvpx-vp9",
            18,
            63,
            (8,),
            {"b": "0", "lag-in-frames": "0", "auto-alt-ref": "0", "deadline": "good"}
            | {"cpu-used": "3", "row-mt": "1"},
        ),
        "ffv1": Codec(
            "ffv1", None, 0, (8, 9, 10, 12, 14, 16), {"level": "3", "slices": "4", "slicecrc": "1"}
        ),
    }
)
"""What `--codec` takes."""


@dataclass(frozen=True)
class Encoding:
    """What is written: codec, quality, pixel format, and pixels of luma for one of chroma."""

    codec: str
    crf: int | None
    format: str
    across: int
    down: int


def choose(film: Film, destination: Path, codec: str | None, crf: int | None) -> Encoding:
    """The coding for a film and a file name.

    Args:
        film: whose depth is kept.
        destination: `.webm` takes VP9, everything else H.264, unless told otherwise.
        codec: a name in `CODECS`, or None.
        crf: quality, 0 (best) up; None is visually lossless.

    Raises:
        UsageError: an unknown codec, a quality where there is none, or one that cannot hold the
            depth of the film.
    """
    name = codec or ("vp9" if destination.suffix.lower() == ".webm" else "h264")
    if name not in CODECS:
        raise UsageError(f"unknown codec {name!r}; known: {', '.join(CODECS)}")
    chosen = CODECS[name]
    if crf is not None and not (chosen.crf is not None and 0 <= crf <= chosen.worst):
        accepted = f"0 (best) to {chosen.worst}" if chosen.worst else "none: it is lossless"
        raise UsageError(f"crf is {crf} for {name}; accepted is {accepted}")
    if film.coding.bits not in chosen.bits:
        depths = " or ".join(map(str, chosen.bits))
        raise UsageError(
            f"{film} has {film.coding.bits} bits, and {name} holds {depths}; add --codec ffv1,"
            " which holds them all, and give the output the extension .mkv"
        )
    across, down = _subsampling(film, name)
    suffix = "" if film.coding.bits == 8 else f"{film.coding.bits}le"
    kind = {(1, 1): "444", (2, 1): "422", (2, 2): "420"}[across, down]
    quality = chosen.crf if crf is None else crf
    return Encoding(name, quality, f"yuv{kind}p{suffix}", across, down)


def _subsampling(film: Film, codec: str) -> tuple[int, int]:
    """As players expect, 2 x 2; in the archive as the film has it, or in full."""
    own = film.coding.across, film.coding.down
    if codec == "ffv1":
        return own if own in ((2, 2), (2, 1)) else (1, 1)
    odd = film.width % 2 or film.height % 2
    return (1, 1) if odd and codec in ("h264", "hevc") else (2, 2)  # which know even sizes only


class VideoWriter:
    """Codes frames into a file of their own, which is then joined with others.

    Args:
        path: to be written, in the container NUT, which keeps any times.
        film: whose size, rate and colors are kept.
        target: how.
        rate: frames in a second; None where it varies.

    Raises: ColorizerError, OSError as the encoder and the disk have it.
    """

    def __init__(self, path: Path, film: Film, target: Encoding, rate: Fraction | None) -> None:
        self._target = target
        self._film = film
        self._container = av.open(path, "w", format="nut")
        self._stream = add_video(self._container, film, target, rate)

    def write(
        self, pts: int, planes: tuple[np.ndarray, np.ndarray, np.ndarray], held: Any = None
    ) -> None:
        """Add a frame: Y, Cb and Cr, at a time in ticks of the film; `held` is of folders."""
        frame = make_frame(planes, self._target.format)
        frame.pts, frame.time_base = pts, self._film.time_base
        coding = self._film.coding
        frame.colorspace, frame.color_range = coding.matrix, 2 if coding.full else 1
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        """Finish the file."""
        try:
            for packet in self._stream.encode():
                self._container.mux(packet)
        finally:
            self._container.close()

    def abandon(self) -> None:
        """Close the file as it is, whatever is missing."""
        self._container.close()


def add_video(container: Any, film: Film, target: Encoding, rate: Fraction | None) -> Any:
    """The stream of the colored frames in a container, ready to encode."""
    codec = CODECS[target.codec]
    options = dict(codec.options)
    if rate is not None and target.codec == "h264":
        options["x264-params"] = "force-cfr=1"  # else the stream names the tick as its rate
    if target.crf is not None:
        options["crf"] = str(target.crf)
    stream = container.add_stream(codec.encoder, rate=rate or film.rate, options=options)
    stream.width, stream.height, stream.pix_fmt = film.width, film.height, target.format
    stream.time_base = film.time_base
    context = stream.codec_context
    context.time_base = film.time_base
    context.thread_count = THREADS
    describe(context, film, rate)
    return stream


def describe(context: Any, film: Film, rate: Fraction | None) -> None:
    """Tell the codec context of a stream what the numbers in its frames mean, and their rate."""
    context.framerate = rate or Fraction(0)
    context.sample_aspect_ratio = film.aspect
    context.colorspace = film.coding.matrix
    context.color_range = 2 if film.coding.full else 1
    context.color_primaries = film.coding.primaries
    context.color_trc = film.coding.transfer


def make_frame(planes: tuple[np.ndarray, np.ndarray, np.ndarray], name: str) -> Any:
    """A frame of a planar format from its planes, copied into it."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, name)
    for plane, values in zip(frame.planes, planes, strict=True):
        kind = values.dtype.newbyteorder("<")
        rows = np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)
        rows[: values.shape[0], : values.shape[1]] = values
    return frame
