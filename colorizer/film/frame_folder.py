"""Frames as a folder of pictures, read and written."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from colorizer.errors import ColorizerError, UsageError
from colorizer.extras import extra
from colorizer.film.decoding import sentence
from colorizer.film.planes import Coding

if TYPE_CHECKING:
    from colorizer.film.findings import Findings
    from colorizer.film.source import Film

__all__ = ["FrameFolder", "is_picture", "picture", "pictures_in", "rgb_of"]

av: Any = extra("av", "video")

_PICTURES = {
    *(".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".dpx", ".webp", ".pgm", ".ppm", ".exr"),
}


def pictures_in(folder: Path) -> list[Path]:
    """The frames of a folder, by the numbers in their names; hidden files are no frames."""
    return sorted((path for path in folder.iterdir() if is_picture(path)), key=_as_numbered)


def is_picture(path: Path) -> bool:
    """Whether a file is one of the frames of its folder, by its name."""
    return path.suffix.lower() in _PICTURES and not path.name.startswith(".")


def _as_numbered(path: Path) -> tuple[Any, ...]:
    """f2 comes before f10: at odd places of what is split stand the numbers."""
    parts = re.split(r"(\d+)", path.stem)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path.name


def picture(path: Path) -> Any:
    """One frame; raises ColorizerError where it cannot be read."""
    try:
        # The name could hold a pattern; the bytes of one picture cannot.
        with path.open("rb") as file, av.open(file) as container:
            return next(container.decode(video=0))
    except (av.FFmpegError, OSError, StopIteration, IndexError) as error:
        raise ColorizerError(f"{path} cannot be read as a picture: {sentence(error)}") from error


class FrameFolder:
    """Writes a film as a folder of PNG files, one for each frame, in as many bits as it has.

    The names are those of the frames where the film is a folder, else numbers from 1 on. They are
    turned as a player would turn them, and hold the frames only: no times, and no sound.

    Args:
        film: what is colored.
        path: the folder to make.

    Attributes:
        film: the same; one with a timeline takes its place before the work.
    """

    chroma = (1, 1)
    """Pixels of luma for one of chroma, across and down."""

    def __init__(self, film: "Film", path: Path) -> None:
        self.film, self._path = film, path
        self._held = pictures_in(film.path) if film.is_folder else None

    def check(self) -> list[str]:
        """Sentences on what is lost, before the work.

        Raises: UsageError where two frames would get one name.
        """
        if self._held is None:
            shape = "" if self.film.aspect == 1 else ", nor the shape of its pixels"
            return [f"a folder of frames has no times and no sound{shape}"]
        names: dict[str, Path] = {}
        for path in self._held:
            other = names.setdefault(path.stem.casefold(), path)
            if other is not path:
                raise UsageError(
                    f"{other.name} and {path.name} would both become {path.stem}.png; rename"
                    " one of them"
                )
        return []

    def check_times(self, findings: "Findings") -> None:
        """A folder has no times that it could lose."""

    def writer(self, work: Path, first: int, findings: "Findings") -> "_PictureWriter":
        """What writes a segment into the folder `work`, from the frame of this number on."""
        return _PictureWriter(work, self.film, self._held, first)

    def join(
        self, segments: Sequence[Path], findings: "Findings", mark: str, work: Path
    ) -> list[str]:
        """Make the folder out of whole segments.

        A run that was killed here goes on here: frames move into one folder, which takes its name
        when it holds them all.

        Args:
            segments: in order.
            findings: how many frames there are.
            mark: unused; PNG files hold no sentence.
            work: a folder beside the destination, which may be left from such a run.

        Raises: ColorizerError if frames are missing. OSError: no space, no permission.
        """
        work.mkdir(exist_ok=True)
        for segment in segments:
            for held in sorted(segment.iterdir()):
                held.replace(work / held.name)
        count = sum(1 for _ in work.iterdir())
        if count != len(findings.pts):
            raise ColorizerError(
                f"{count} of {len(findings.pts)} frames are there; remove {work.parent} and begin"
                " anew"
            )
        if self._path.exists():
            self._path.rmdir()  # empty, or an error
        work.rename(self._path)
        return []


class _PictureWriter:
    def __init__(self, work: Path, film: "Film", held: Sequence[Path] | None, first: int) -> None:
        work.mkdir()
        self._work, self._film, self._held, self._next = work, film, held, first

    def write(
        self, pts: int, planes: tuple[np.ndarray, np.ndarray, np.ndarray], held: Any = None
    ) -> None:
        """Add a frame: Y, Cb and Cr; or as it was decoded, where its own colors go through."""
        coding = self._film.coding
        if held is not None and not coding.has_luma:  # no way there and back
            rgb = held.to_ndarray(format="rgb24" if coding.bits == 8 else "rgb48le")
        else:
            rgb = rgb_of(planes, coding)
        rgb = np.ascontiguousarray(self._film.orientation.upright(rgb))
        index = self._next
        name = self._held[index].stem if self._held else f"{index + 1:06d}"
        _save(rgb, self._work / f"{name}.png")
        self._next += 1

    def close(self) -> None:
        """Each file is closed already."""

    def abandon(self) -> None:
        """Nothing is open."""


def _save(rgb: np.ndarray, path: Path) -> None:
    """Write (H, W, 3) as PNG, in 8 or 16 bits; `VideoFrame.save` knows 8 only."""
    own, name = ("rgb24", "rgb24") if rgb.dtype == np.uint8 else ("rgb48le", "rgb48be")
    frame = av.VideoFrame.from_ndarray(rgb, own)
    with av.open(path, "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("png", pix_fmt=name)
        stream.width, stream.height = frame.width, frame.height
        for packet in stream.encode(frame.reformat(format=name)) + stream.encode():
            container.mux(packet)


def rgb_of(planes: tuple[np.ndarray, np.ndarray, np.ndarray], coding: Coding) -> np.ndarray:
    """What a player shows of Y, Cb and Cr of full size: (H, W, 3) uint8, or uint16 of more bits."""
    scale = 2 ** (coding.bits - 8)
    top = 2**coding.bits - 1
    black, span, reach = (0, top, top) if coding.full else (16 * scale, 219 * scale, 224 * scale)
    Y, Cb, Cr = (plane.astype(np.float32) for plane in planes)
    Y = (Y - black) / span
    Cb, Cr = ((plane - 128 * scale) / reach for plane in (Cb, Cr))
    red, blue = coding.weights
    R, B = Y + Cr * (2 * (1 - red)), Y + Cb * (2 * (1 - blue))
    G = (Y - red * R - blue * B) / (1 - red - blue)
    highest, kind = (255, np.uint8) if coding.bits == 8 else (65535, np.uint16)
    return np.rint(np.stack([R, G, B], -1).clip(0, 1) * highest).astype(kind)
