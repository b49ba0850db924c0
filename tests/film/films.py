"""Films that tests make: a camera that moves over a picture, with sound, subtitles and the rest."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from skimage import data

from colorizer.film.steady import Steady, motion_between

WIDTH, HEIGHT = 160, 90


def pan(count: int, seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """(N, H, W) uint8: a window that moves two pixels to the right with each frame, and grain."""
    rng = np.random.default_rng(seed)
    picture = data.camera() if seed % 2 == 0 else data.coffee()[..., 1]
    top = rng.integers(0, picture.shape[0] - height)
    start = 20 + 7 * seed
    found = [
        picture[top : top + height, start + 2 * i : start + 2 * i + width] for i in range(count)
    ]
    return np.stack(found).astype(np.uint8)


def write_film(
    path: Path,
    luma: np.ndarray,
    *,
    rate: int = 25,
    pts: list[int] | None = None,
    time_base: Fraction | None = None,
    codec: str = "ffv1",
    format: str = "yuv420p",
    full: bool = False,
    matrix: int = 2,
    transfer: int = 2,
    rotation: int = 0,
    aspect: Fraction = Fraction(1),
    sound: bool = False,
    subtitles: bool = False,
    extras: bool = False,
    options: dict[str, str] | None = None,
    display: list[int] | None = None,
    audio: str = "aac",
    tags: dict[str, str] | None = None,
    video_tags: dict[str, str] | None = None,
    chapters: int = 0,
    start: int = 0,
    last: int = 0,
    container_options: dict[str, str] | None = None,
) -> Path:
    """A film whose luma is this: (N, H, W), uint8 or uint16; its chroma is gray.

    `start` is added to all times, in seconds; `last` is how long the last frame is shown, in ticks.
    """
    with av.open(path, "w", container_options=container_options or {}) as container:
        tick = time_base or Fraction(1, rate)
        video = container.add_stream(codec, rate=rate, options=options or {})
        video.width, video.height, video.pix_fmt = luma.shape[2], luma.shape[1], format
        video.time_base = video.codec_context.time_base = tick
        context = video.codec_context
        context.color_range, context.colorspace = 2 if full else 1, matrix
        context.color_trc, context.sample_aspect_ratio = transfer, aspect
        if rotation:
            video.set_display_rotation(rotation)
        if display:
            video.set_display_matrix(display)
        video.metadata.update(video_tags or {})
        container.metadata.update(tags or {})
        packets = []
        if sound:
            name = "mp3" if path.suffix == ".avi" and audio == "aac" else audio
            heard = container.add_stream(name, rate=44100)
            heard.format = "s16" if name in ("mp2", "pcm_s16le") else "fltp"
        if subtitles:
            text = path.with_suffix(".srt")
            text.write_text("1\n00:00:00,100 --> 00:00:00,500\nHello\n\n")
            titles = av.open(text)
            title = container.add_stream_from_template(titles.streams[0])
            title.metadata["language"] = "fre"
        if extras:
            container.add_attachment("note.txt", "text/plain", b"attached")
            container.metadata["title"] = "A test"
            chapters = 2
        base = Fraction(1, 1000)
        if chapters:
            container.set_chapters(
                [
                    {"id": i, "start": 400 * i, "end": 400 * i + 400, "time_base": base}
                    | {"metadata": {"title": f"Chapter {i}"}}
                    for i in range(chapters)
                ]
            )
        container.start_encoding()
        for i, values in enumerate(luma):
            frame = _frame(values, format)
            frame.pts, frame.time_base = (pts[i] if pts else i), tick
            frame.colorspace, frame.color_range = matrix, 2 if full else 1
            packets += video.encode(frame)
        packets += video.encode()
        if sound:
            packets += _sound(heard, len(luma) / rate)
        if subtitles:
            for packet in titles.demux():
                if packet.size:
                    packet.stream = title
                    packets.append(packet)
        if last:
            max((p for p in packets if p.stream is video), key=lambda p: p.pts).duration = last
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            shift = round(start / packet.time_base)
            packet.dts, packet.pts = packet.dts + shift, packet.pts + shift
            container.mux(packet)
    return path


def _frame(values: np.ndarray, format: str) -> av.VideoFrame:
    frame = av.VideoFrame(values.shape[1], values.shape[0], format)
    for index, plane in enumerate(frame.planes):
        kind = values.dtype.newbyteorder("<")
        rows = np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)
        bits = frame.format.components[0].bits
        rows[: plane.height, : plane.width] = values if index == 0 else 1 << (bits - 1)
    return frame


def _sound(stream: av.AudioStream, seconds: float) -> list[av.Packet]:
    size = stream.frame_size or 1024
    packets = []
    for start in range(0, int(seconds * 44100), size):
        wave = np.sin(np.arange(start, start + size) * 0.05).astype(np.float32) / 4
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), "fltp", "stereo")
        if stream.format.name == "s16":
            both = (np.stack([wave, wave], 1) * 32767).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(both, "s16", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = 44100, start, Fraction(1, 44100)
        packets += stream.encode(frame)
    return packets + stream.encode()


def read_film(path: Path, bits: int = 8) -> tuple[np.ndarray, list[Fraction]]:
    """The luma of all frames, and their presentation times in seconds: by FFmpeg alone."""
    planes, times = [], []
    kind = np.dtype("u1" if bits == 8 else "<u2")
    with av.open(path) as container:
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            rows = np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)
            planes.append(rows[: frame.height, : frame.width].copy())
            times.append(frame.pts * Fraction(frame.time_base))
    return np.stack(planes), times


def chroma(path: Path) -> np.ndarray:
    """How far the colors of each frame are from gray, in values of 8 bits: (N, 2, h, w)."""
    found = []
    with av.open(path) as container:
        for frame in container.decode(video=0):
            rows = [np.frombuffer(p, np.uint8).reshape(-1, p.line_size) for p in frame.planes[1:]]
            found.append([row[:, : frame.planes[1].width] for row in rows])
    return np.array(found, float) - 128


def packets_of(path: Path, kind: str) -> list[tuple[bytes, Fraction]]:
    """All packets of the first stream of a kind, with their times in seconds."""
    with av.open(path) as container:
        stream = getattr(container.streams, kind)[0]
        return [
            (bytes(p), p.pts * Fraction(p.time_base)) for p in container.demux(stream) if p.size
        ]


class Carried:
    """Colors carried along the flow, each frame from the one before it."""

    def __init__(self, **options: float) -> None:
        self._steady = Steady(**options)

    def step(
        self, L: np.ndarray, ab: np.ndarray | None, cut: bool = False, aside: bool = False
    ) -> np.ndarray:
        """The colors of the next frame; `ab` is the network's answer."""
        before = self._steady.L
        motion = None if cut or before is None else motion_between(L, before)
        return self._steady.step(L, ab, motion, aside=aside)
