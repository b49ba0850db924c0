"""What can be set when coloring, preparing and evaluating: one field is one option.

See docs/extending.md for how to add one. All of them are here, so that this file is longer than
others.
"""

import os
from dataclasses import dataclass
from typing import Any

from colorizer.pictures.origin import MAX_PIXELS
from colorizer.support.fields import Options, option

__all__ = [
    "DEFAULT_MODEL",
    "CalibrateOptions",
    "ClusterOptions",
    "ColorizeOptions",
    "EvaluateOptions",
    "ExportOptions",
    "FilmOptions",
    "FolderOptions",
    "LikenessOptions",
    "PrepareOptions",
    "ServeOptions",
    "SteeringOptions",
]

DEFAULT_MODEL = "colornet_lite_cross"
"""The shipped model that colors unless another one is named."""


def _max_pixels() -> Any:
    about = "refuse photos that claim more pixels, width times height"
    return option(MAX_PIXELS, about, low=1, note=None)


def _vividness(**about: Any) -> Any:
    return option(1.0, "factor on chroma: 0 is gray, 1 as predicted", low=0, high=2, **about)


def _share(help: str) -> Any:
    return option(0.0, f"of the whole picture: {help}", low=-1, high=1)


def _part(which: str) -> Any:
    return option(1.0, f"factor on chroma in the {which} parts: 0 is gray", low=0, high=2)


def _temperature() -> Any:
    about = "of a model with the distribution head: lower is more vivid (default: the model's)"
    return option(None, about, above=0, high=10)


def _quality() -> Any:
    about = "best: averaged over three sizes and the mirror image; steadier, 6 times slower"
    return option("fast", about, choices=("fast", "best"))


def _alexnet() -> Any:
    about = "the network behind lpips: a file, or `imagenet` to download it once"
    return option(None, about, metavar="WEIGHTS")


def _limit(default: int | None) -> Any:
    return option(default, "only so many photos, evenly spread", low=1)


def _name_of_palette(palette: Any) -> str:
    return f"palette {_name_of(palette)}"


def _names_of_references(reference: Any) -> str:
    several = reference if isinstance(reference, list | tuple) else [reference]
    return f"reference {', '.join(_name_of(photo) for photo in several)}"


def _name_of(photo: Any) -> str:
    named = isinstance(photo, str | os.PathLike)
    return os.path.basename(photo) if named else "given as pixels"


def _name_of_version(version: Any) -> str:
    named = isinstance(version, str | os.PathLike)
    return f"colors of {os.path.basename(version) if named else 'pixels that were given'}"


def _variant(**about: Any) -> Any:
    return option(
        1,
        "which alternative coloring: 1 as predicted, 2 and on other preferences, the same all over"
        " a picture and for all pictures (distribution head)",
        low=1,
        high=100,
        **about,
    )


@dataclass(frozen=True)
class SteeringOptions(Options):
    """What changes the colors of photos and films alike."""

    size: int | None = option(
        None,
        "short side at which the network sees a picture (default: the model's)",
        low=32,
        high=4096,
        unit="pixels",
        note=None,  # what was in use is told instead
    )
    vividness: float = _vividness(always=True)
    temperature: float | None = _temperature()
    palette: Any = option(
        None,
        "prefer the colors of this photo (distribution head)",
        metavar="PHOTO",
        note=_name_of_palette,
    )
    variant: int = _variant(flag=False)  # folders have `--variants`
    quality: str = _quality()
    warmth: float = _share("warmer, below 0 colder; 1 is D50 beside D65")
    tint: float = _share("towards magenta, below 0 towards green")
    shadows: float = _part("dark")
    highlights: float = _part("bright")
    natural: bool = option(
        False, "take away the cast of what is nearly gray, before warmth and tint", note="natural"
    )
    device: str = option(
        "cpu",
        "where the network runs; others than cpu need a build of ONNX Runtime of their own",
        choices=("cpu", "cuda", "coreml", "directml", "openvino"),
    )


@dataclass(frozen=True)
class ColorizeOptions(SteeringOptions):
    """How a picture is colored, beside by which model."""

    hints: Any = option(
        None,
        "colors that you name at places of the photo: a JSON file, or a PNG that is transparent"
        " where nothing is said; see docs/hints.md (distribution head)",
        metavar="FILE",
        note=None,  # their number is told instead
    )
    reference: Any = option(
        None,
        "take colors from this photo where it shows the same kinds of things; may be given several"
        " times; see docs/album.md (distribution head)",
        metavar="PHOTO",
        note=_names_of_references,
        again=True,
    )
    colors_from: Any = option(
        None,
        "take the colors of another colored version of this photo, of an editor or another tool,"
        " which may be small, shifted, cropped or repainted in places; of a folder of photos a"
        " folder of versions with their names",
        metavar="PICTURE",
        note=_name_of_version,
    )
    result: str = option(
        "photo",
        "layer: the colors alone, as transparent as can be, to lay over the photo; pair: the photo"
        " in gray and in color, side by side",
        choices=("photo", "layer", "pair"),
    )
    threads: int | None = option(
        None,
        "of the network and of libvips, for each worker (default: the cores are shared)",
        low=1,
        note=None,
    )
    salvage: bool = option(
        False,
        "color damaged photos as far as they can be decoded, with a sentence",
        note=None,  # which is told where something was damaged
    )
    max_pixels: int = _max_pixels()


@dataclass(frozen=True)
class FolderOptions(Options):
    """How many pictures are worked through."""

    variants: int = option(
        1,
        "write N different colorings, NAME-1.EXT and so on (distribution head)",
        low=1,
        high=100,
        metavar="N",
    )
    workers: int | None = option(
        None, "photos in work at a time (default: one on each core)", low=1, metavar="N"
    )
    memory: int | None = option(
        None, "that all workers together may take, in megabytes", low=1, metavar="MB"
    )
    format: str | None = option(
        None, "extension of the results, such as png (default: that of each photo)", metavar="EXT"
    )
    overwrite: bool = option(
        False, "replace files too that are no results of ours, the photos themselves included"
    )
    shard: str | None = option(
        None,
        "color the I-th of N shares of a folder (default: as torchrun, Slurm or Kubernetes tell)",
        metavar="I/N",
    )


@dataclass(frozen=True)
class FilmOptions(SteeringOptions):
    """How a film is colored and written, beside by which model."""

    variant: int = _variant()  # here with a flag of its own
    steady: float = option(
        0.92,
        "share of a color that is carried from the frame before; 0 colors each frame alone",
        low=0,
        high=0.99,
    )
    hints: Any = option(
        None,
        "colors set on some frames, each carried through its shot: see docs/film.md",
        metavar="FILE",
        note="hints",
    )
    reference: Any = option(
        None,
        "a folder of colored frames, named by their numbers from 0 on (000120.png), whose colors"
        " hold there and are carried through their shots",
        metavar="FRAMES",
        note="references",
    )
    shots: Any = option(
        None,
        "cuts, and palette, vividness or `keep` of each shot: the list of a --report, edited",
        metavar="FILE",
        note="shots told",
    )
    keep_color: bool = option(
        False,
        "leave shots as they are that are in color already",
        note="shots in color kept",
    )
    codec: str | None = option(
        None, "h264 (default; vp9 in .webm), hevc, vp9, or lossless ffv1", metavar="NAME", note=None
    )
    crf: int | None = option(
        None,
        "quality of the codec, 0 the best (default: no loss can be seen)",
        low=0,
        high=63,
        note=None,
    )
    rate: Any = option(
        None,
        "frames in a second of a folder of frames, such as 18 or 30000/1001 (default: 24)",
        metavar="N",
        note=None,
    )
    drop: list[str] | None = option(
        None,
        "leave out what else the film holds: audio, subtitles, data, attachments",
        choices=("audio", "subtitles", "data", "attachments"),
        metavar="[KIND,...]",
        note=None,
    )
    deinterlace: bool = option(False, "make whole frames of those that are marked as interlaced")
    progressive: bool = option(
        False, "take all frames as whole, also those that are marked as interlaced", note=None
    )
    preview: bool = option(
        False, "write some seconds from all over the film only, beside the original", note=None
    )
    overwrite: bool = option(False, "replace OUT if there is such a file", note=None)
    threads: int | None = option(
        None, "frames in work at a time (default: one on each core)", low=1, note=None
    )
    report: Any = option(
        None, "write shots, times and steadiness to this JSON file", metavar="FILE", note=None
    )


@dataclass(frozen=True)
class FilmFolderOptions(Options):
    """How a folder of films is worked through."""

    format: str | None = option(
        None,
        "extension of the results, such as mkv (default: that of each film)",
        metavar="EXT",
    )
    shard: str | None = option(
        None,
        "color the I-th of N shares of a folder (default: as torchrun, Slurm or Kubernetes tell)",
        metavar="I/N",
    )


@dataclass(frozen=True)
class ClusterOptions(Options):
    """Where photos are listed, and who colors them; see docs/cluster.md."""

    manifest: str | None = option(
        None, "a list of photos, .txt, .csv or .parquet, instead of folders", metavar="FILE"
    )
    engine: str = option(
        "local", "ray: on a Ray cluster, or on this machine's cores", choices=("local", "ray")
    )
    address: str | None = option(
        None, "of the Ray cluster: auto, or ray://HOST:PORT (default: one on this machine)"
    )
    cpus: float | None = option(
        None, "cores that a Ray worker takes, also a fraction (default: nearly one)", above=0
    )
    gpus: float | None = option(
        None, "graphics cards that a Ray worker takes, also a fraction", above=0
    )


@dataclass(frozen=True)
class PrepareOptions(Options):
    """How a tree of photos becomes shards."""

    size: int = option(
        160,
        "short side of the pictures that are written; smaller ones keep their size",
        low=16,
        high=2048,
        unit="pixels",
    )
    quality: int = option(90, "of the WebP files", low=1, high=100)
    shard_size: int = option(1000, "pictures in a shard", low=1, high=1_000_000)
    against: Any = option(
        None,
        "an evaluation set, whose pictures are left out and reported: a folder, a shard or a"
        " pattern of shards",
        metavar="DIR",
    )
    workers: int | None = option(
        None, "files in work at a time (default: cores)", low=1, high=1024, metavar="N"
    )
    max_pixels: int = _max_pixels()


@dataclass(frozen=True)
class EvaluateOptions(Options):
    """How models are compared."""

    protocol: str = option("native", "the size that is measured: native, squash256 or center256")
    metrics: list[str] | None = option(None, "names (default: all whose weights are there)")
    alexnet: str | None = _alexnet()
    vgg16: str | None = option(
        None,
        "the network behind frechet_vgg16: a file, or `imagenet` to download it once",
        metavar="WEIGHTS",
    )
    inception: str | None = option(
        None, "the network behind fid: a file, or `download` to download it once", metavar="WEIGHTS"
    )
    size: int | None = option(
        None,
        "short side at which models see a photo (default: each model's own)",
        low=32,
        high=4096,
        unit="pixels",
    )
    quality: str = _quality()
    limit: int | None = _limit(None)
    keep_gray: bool = option(False, "measure gray and toned photos too, as published sets want")
    blind: str | None = option(
        None,
        "write a page on which people guess which photos are real, in place of measuring",
        metavar="PAGE.html",
    )
    device: str = option(
        "auto", "cpu is ONNX Runtime, cuda is PyTorch", choices=("auto", "cpu", "cuda")
    )


@dataclass(frozen=True)
class CalibrateOptions(Options):
    """Which ways to decode are tried, and on how many photos."""

    sizes: tuple[int, ...] = option(
        (192, 256, 320), "working sizes to try", low=32, high=4096, unit="pixels", metavar="[N,...]"
    )
    temperatures: tuple[float, ...] = option(
        (0.4, 0.6), "to try", above=0, high=10, metavar="[X,...]"
    )
    moderations: tuple[float, ...] = option(
        (0.15, 0.3, 0.45, 0.6), "to try", low=0, metavar="[X,...]"
    )
    gains: tuple[float, ...] = option((1.0, 1.2), "to try", above=0, high=10, metavar="[X,...]")
    alexnet: str | None = _alexnet()
    limit: int = _limit(150)


@dataclass(frozen=True)
class ExportOptions(Options):
    """How a model folder, or one ONNX file for other runtimes, is written."""

    size: int | None = option(
        None, "default working size, in pixels", low=32, high=4096, unit="pixels"
    )
    temperature: float | None = option(
        None, "default temperature of a distribution head", above=0, high=10
    )
    moderation: float | None = option(
        None,
        "how much a distribution head leans to common colors: 0 not at all, 1 most",
        low=0,
        high=1,
    )
    gain: float | None = option(
        None, "what a distribution head multiplies its colors by", above=0, high=10
    )
    opset: int | None = option(None, "of OUT.onnx (default: 18)", low=17, high=18)
    static: str | None = option(
        None, "of OUT.onnx: one fixed size in pixels, such as 256x256", metavar="HxW"
    )
    simple: bool = option(
        False, "of OUT.onnx: lightness alone goes in, chroma alone comes out, at its defaults"
    )


@dataclass(frozen=True)
class LikenessOptions(Options):
    """How long is learnt what follows a hint, or what references lend, and on how many photos."""

    learn: str = option(
        "hints",
        "what hints follow, within a photo, or what references lend, between two",
        choices=("hints", "references"),
    )
    photos: int = option(
        3000,
        "look at only so many photos, evenly spread; half a megabyte of memory each, for references"
        " 1.2",
        low=1,
    )
    steps: int = option(2500, "of learning, on 8 crops each", low=1)
    seed: int = option(0, "of crops, hints and weights", low=0)
    threads: int | None = option(None, "of the network (default: all cores)", low=1)


@dataclass(frozen=True)
class ServeOptions(Options):
    """How the local page is served."""

    port: int = option(0, "of the address; 0 takes a free one", low=0, high=65535)
    host: str = option(
        "127.0.0.1",
        "the address to listen on; another one lets others on the network in who know the token"
        " (default: this machine alone)",
    )
    no_browser: bool = option(False, "only print the address")
    keep: bool = option(
        False,
        "keep photos and what is said of them for the next start, in this user's own state folder",
    )
    api_only: bool = option(
        False,
        "no page, but what answers programs; with a token of your own in COLORIZER_TOKEN",
    )
    threads: int | None = option(None, "of the network and of libvips (default: all cores)", low=1)
    max_pixels: int = _max_pixels()
