"""`colorizer <verb>`: parse, call, print.

Longer than other files, as each verb is its flags beside its call, and nothing else.
"""

import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jsonargparse import ActionConfigFile, Namespace

from colorizer import registry
from colorizer.config import Settings, recipe
from colorizer.errors import UsageError
from colorizer.extras import training_side
from colorizer.model_folder import ModelFolder, shipped_models
from colorizer.options import (
    DEFAULT_MODEL,
    CalibrateOptions,
    ClusterOptions,
    ColorizeOptions,
    EvaluateOptions,
    FilmFolderOptions,
    FilmOptions,
    FolderOptions,
    LikenessOptions,
    PrepareOptions,
    ServeOptions,
)
from colorizer.parser import Parser, answer
from colorizer.support.plugins import load_plugins
from colorizer.version import __version__

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run `colorizer`; returns the exit status: 0 all done, 1 some inputs failed, 2 bad usage."""
    parser = Parser(prog="colorizer", description="Color grayscale photographs.")
    parser.add_argument("--version", action="version", version=f"colorizer {__version__}")
    verbs = parser.add_subcommands(dest="verb")
    asked = (sys.argv[1:] if argv is None else argv)[:1]
    # The flags of all verbs take longer to make than a small photo takes to be colored.
    for name in [name for name in asked if name in _VERBS] or _VERBS:
        verb = _VERBS[name][0]()
        verbs.add_subcommand(name, verb, help=verb.description)
    return answer(lambda: _run(parser, argv))


def _run(parser: Parser, argv: Sequence[str] | None) -> int:
    args = parser.parse_args(argv)
    if args.verb == "train":  # of which what was said counts too, apart from the defaults
        return _train(args.train, parser.parse_args(argv, defaults=False).train)
    return _VERBS[args.verb][1](args[args.verb])


def _colorize_parser() -> Parser:
    parser = Parser(description="color photos: one, several, or folders")
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="a photo, a folder of photos or a tar shard; also of stores, such as s3://bucket/in/",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="a file for one photo, a folder for several (default: PHOTO-colored.EXT beside each)",
    )
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="a shipped model's name, or a model folder"
    )
    parser.add_argument(
        "--uncertainty",
        type=str | None,
        metavar="MAP",
        help="of one photo, write to MAP how undecided the model is: white (distribution head)",
    )
    ColorizeOptions.add_flags(parser)
    FolderOptions.add_flags(parser)
    ClusterOptions.add_flags(parser)
    return parser


def _colorize(args: Namespace) -> int:
    from colorizer.pictures.quiet import silence
    from colorizer.places import verb

    silence()
    folder = FolderOptions.of_flags(vars(args))
    options = ColorizeOptions.of_flags(vars(args), variant=folder.variants)  # whether the model can
    cluster = ClusterOptions.of_flags(vars(args))
    given = (args.paths, args.output, args.model)
    return verb.colorize(*given, options, folder, cluster, args.uncertainty)


def _serve_parser() -> Parser:
    parser = Parser(description="open a local page: drop a photo, correct it, download it")
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="a shipped model's name, or a model folder"
    )
    ServeOptions.add_flags(parser)
    return parser


def _serve(args: Namespace) -> int:
    from colorizer.page.run import serve
    from colorizer.pictures.quiet import silence

    silence()
    serve(args.model, ServeOptions.of_flags(vars(args)))
    return 0


def _site_parser() -> Parser:
    parser = Parser(description="write the page as static files, which color in the browser")
    parser.add_argument(
        "out", metavar="OUT", help="a new folder, or one that was written so before"
    )
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="a shipped model's name, or a model folder"
    )
    return parser


def _site(args: Namespace) -> int:
    from colorizer.pictures.quiet import silence
    from colorizer.site import write_site

    silence()
    written = write_site(args.out, args.model)
    size = sum(written.values()) / 1e6
    print(f"{args.out}: {len(written)} files, {size:.1f} MB; any web space can hold it")
    print(f"look at it: python3 -m http.server -d {shlex.quote(args.out)}")
    return 0


def _print_notes(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def _video_parser() -> Parser:
    parser = Parser(description="color a film; frame times, sound and subtitles are kept")
    parser.add_argument("film", metavar="IN", help="a film, a folder of frames, or one of films")
    parser.add_argument(
        "output",
        metavar="OUT",
        help="its extension selects the container; without: a folder of frames, or of films",
    )
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="a shipped model's name, or a model folder"
    )
    FilmOptions.add_flags(parser)
    FilmFolderOptions.add_flags(parser)
    return parser


def _video(args: Namespace) -> int:
    from colorizer.film.verb import color
    from colorizer.pictures.quiet import silence

    silence()
    options, many = FilmOptions.of_flags(vars(args)), FilmFolderOptions.of_flags(vars(args))
    return color(args.film, args.output, args.model, options, many)


def _train_parser() -> Parser:
    parser = Parser(description="train a model on a folder of photos or tar shards")
    parser.add_argument(
        "--config",
        action=_Recipe,
        help="a YAML file of settings, or a recipe: base, cic, ddcolor, flagship",
    )
    parser.add_argument(
        "--resume",
        type=str | None,
        metavar="RUN",
        help="go on with this run folder, under its own settings, from its newest checkpoint; what"
        " shapes neither weights nor data may be changed, such as trainer.epochs",
    )
    parser.add_class_arguments(Settings, skip={"inference"})
    return parser


class _Recipe(ActionConfigFile):
    """A file of settings, or the name of one that ships."""

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: Any = None) -> None:
        super().__call__(parser, cfg, str(recipe(values)), option_string)


def _train(args: Namespace, given: Namespace) -> int:
    training = training_side("colorizer.training")
    if args.resume is not None:
        changes = {k: v for k, v in given.as_dict().items() if k not in ("config", "resume")}
        training.train(Settings(), resume=args.resume, changes=changes)
        return 0
    chosen = _train_parser().instantiate(args).as_dict()
    settings = Settings(**{k: v for k, v in chosen.items() if k not in ("config", "resume")})
    training.train(settings)
    return 0


def _prepare_parser() -> Parser:
    parser = Parser(description="turn a tree of photos into clean training shards, with a report")
    parser.add_argument(
        "photos",
        metavar="PHOTOS",
        help="a folder of any depth, a tar shard, or a pattern of shards",
    )
    parser.add_argument(
        "out", metavar="OUT", help="the folder to write; run again, it goes on where it stopped"
    )
    PrepareOptions.add_flags(parser)
    return parser


def _prepare(args: Namespace) -> int:
    from colorizer.pictures.quiet import silence
    from colorizer.preparation import prepare

    silence()
    try:
        result = prepare(args.photos, args.out, **vars(PrepareOptions.of_flags(vars(args))))
    except KeyboardInterrupt:
        print(
            f"stopped; what is whole lies in {args.out}, and the same command goes on from there",
            file=sys.stderr,
        )
        return 130
    _print_notes(result.notes)
    for name, reason in result.failed:
        print(f"failed: {name}: {reason}", file=sys.stderr)
    left_out = ", ".join(f"{count} {reason}" for reason, count in result.rejected.items())
    print(f"{result.kept} kept; left out: {left_out or 'none'}; {result.new} files looked at now")
    print(result.out / "report.html")
    return result.status


def _add_plugins(parser: Parser) -> None:
    parser.add_argument(
        "--plugins",
        type=list[str] | None,
        metavar="[MODULE,...]",
        help="modules, or .py files, of your own to import first: what they register can be named",
    )


def _load_plugins(args: Namespace) -> None:
    if args.plugins:
        load_plugins(args.plugins)


def _export_parser() -> Parser:
    parser = Parser(
        description="turn a trained state dict into a model folder, change one's defaults, or make "
        "one ONNX file for other runtimes"
    )
    parser.add_argument(
        "source", metavar="STATE_DICT", help=".safetensors, .pth or .ckpt, or a model folder"
    )
    parser.add_argument(
        "out", metavar="OUT", help="the model folder to write, or OUT.onnx for other runtimes"
    )
    parser.add_argument(
        "--model",
        type=dict[str, Any] | None,
        help="of a state dict: its model's name and options, as in training (default: colornet18)",
    )
    parser.add_argument("--size", type=int | None, help="default working size, in pixels")
    parser.add_argument(
        "--temperature", type=float | None, help="default temperature of a distribution head"
    )
    parser.add_argument(
        "--moderation",
        type=float | None,
        help="how much a distribution head leans to common colors: 0 not at all, 1 most",
    )
    parser.add_argument(
        "--gain", type=float | None, help="what a distribution head multiplies its colors by"
    )
    parser.add_argument("--opset", type=int | None, help="of OUT.onnx: 17 or 18 (default: 18)")
    parser.add_argument(
        "--static",
        type=str | None,
        metavar="HxW",
        help="of OUT.onnx: one fixed size in pixels, such as 256x256",
    )
    parser.add_argument(
        "--simple",
        action="store_true",
        help="of OUT.onnx: lightness alone goes in, chroma alone comes out, at its defaults",
    )
    _add_plugins(parser)
    return parser


def _export(args: Namespace) -> int:
    weights = training_side("colorizer.weights")
    _load_plugins(args)
    ours, others = ("size", "temperature", "moderation", "gain"), ("opset", "static", "simple")
    portable = args.out.endswith(".onnx")
    names, foreign = (others, ours) if portable else (ours, others)
    if given := [f"--{name}" for name in foreign if args[name] not in (None, False)]:
        kind = "of a model folder" if portable else "of OUT.onnx, a graph for other runtimes"
        raise UsageError(f"{' and '.join(given)}: options {kind}, but OUT is {args.out}")
    options = {name: args[name] for name in names if args[name] not in (None, False)}
    make = weights.export_portable if portable else weights.export_weights
    print(make(args.source, args.out, model=args.model, **options))
    return 0


def _average_parser() -> Parser:
    parser = Parser(
        description="average the weights of models that were trained on from the same ones"
    )
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="model folders or shipped models' names, two or more; the first one's size and "
        "decoding are kept",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="the model folder to write"
    )
    parser.add_argument(
        "--shares",
        type=list[float] | None,
        metavar="[X,...]",
        help="of each model, which sum to 1 (default: all equal)",
    )
    _add_plugins(parser)
    return parser


def _average(args: Namespace) -> int:
    weights = training_side("colorizer.weights")
    _load_plugins(args)
    print(weights.average_weights(args.models, args.output, shares=args.shares))
    return 0


def _calibrate_parser() -> Parser:
    parser = Parser(
        description="find the working size, temperature, moderation and gain of a model on photos "
        "in color, and write them into its folder"
    )
    parser.add_argument("model", metavar="MODEL", help="a model folder, or a shipped model's name")
    parser.add_argument("--data", required=True, help="photos that it was not trained on")
    parser.add_argument(
        "-o", "--output", metavar="OUT", type=str | None, help="another model folder to write"
    )
    CalibrateOptions.add_flags(parser)
    _add_plugins(parser)
    return parser


def _calibrate(args: Namespace) -> int:
    calibration = training_side("colorizer.evaluation.calibration")
    _load_plugins(args)
    options = vars(CalibrateOptions.of_flags(vars(args)))
    result = calibration.calibrate(args.model, args.data, args.output, **options)
    _print_notes(result.notes)
    print(f"{result.photos} photos, whose own colorfulness is {result.original:.4g}\n\n{result}")
    chosen = result.chosen
    print(
        f"\nsize {chosen.size}, temperature {chosen.temperature:g}, moderation "
        f"{chosen.moderation:g}, gain {chosen.gain:g}: written to {args.output or args.model}"
    )
    return 0


def _likeness_parser() -> Parser:
    parser = Parser(
        description="learn from photos in color what follows a hint, and write it into a model's "
        "folder; its other weights stay what they are"
    )
    parser.add_argument("model", metavar="MODEL", help="a model folder, or a shipped model's name")
    parser.add_argument("--data", required=True, help="photos, as for training")
    LikenessOptions.add_flags(parser)
    _add_plugins(parser)
    return parser


def _likeness(args: Namespace) -> int:
    training = training_side("colorizer.training.likeness")
    _load_plugins(args)
    options = vars(LikenessOptions.of_flags(vars(args)))
    path, notes = training.learn_likeness(args.model, args.data, **options)
    _print_notes(notes)
    print(path)
    return 0


def _evaluate_parser() -> Parser:
    parser = Parser(description="compare models on photos in color")
    parser.add_argument(
        "--model",
        nargs="+",
        action="extend",
        default=[],
        help="shipped names, model folders, runs, or NAME=FOLDER; NAME=RUN,RUN,... is the mean of "
        "several seeds; `gray` and `original` are added",
    )
    parser.add_argument(
        "--results",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=FOLDER",
        help="what other methods have made of the photos: pictures of the photos' names",
    )
    parser.add_argument("--data", required=True, help="a folder of photos, tar shards, or a film")
    parser.add_argument(
        "--report",
        type=str | None,
        metavar="DIR",
        help="folder for report.html, report.json, summary.csv, summary.tex, pictures.csv and "
        "sheet.jpg",
    )
    EvaluateOptions.add_flags(parser)
    _add_plugins(parser)
    return parser


def _evaluate(args: Namespace) -> int:
    evaluation = training_side("colorizer.evaluation")
    _load_plugins(args)
    options = vars(EvaluateOptions.of_flags(vars(args)))
    if not (args.model or args.results):
        raise UsageError("nothing to evaluate: name models by --model, or results by --results")
    given = (args.model, args.data, args.report)
    result = evaluation.evaluate(*given, results=args.results, **options)
    _print_notes(result["notes"])
    if options["blind"] is not None:
        print(result["blind"])
        return 0
    for photo in result["excluded"]:
        print(f"left out: {photo['photo']}: {photo['reason']}", file=sys.stderr)
    print(f"{result['pictures']} pictures, {result['protocol']['name']}\n")
    print(evaluation.markdown(result))
    return 0


def _report_parser() -> Parser:
    parser = Parser(description="merge the reports of a collection's runs and shares into one")
    parser.add_argument("folder", metavar="DIR", help="the output of `colorizer colorize`")
    return parser


def _report(args: Namespace) -> int:
    from colorizer.places import verb

    return verb.report(args.folder)


def _list_parser() -> Parser:
    parser = Parser(description="list the names that the factories know")
    parser.add_argument("what", choices=list(_LISTS))
    parser.add_argument(
        "pattern", nargs="?", help="of the names to list, such as '*cross*', or a part of them"
    )
    _add_plugins(parser)
    return parser


def _list(args: Namespace) -> int:
    _load_plugins(args)
    training_side(_LISTS[args.what])  # which registers them
    names = vars(registry)[args.what.upper()].names(args.pattern)
    ships = shipped_models() if args.what == "models" else []
    width = max(map(len, names))
    for name in names:
        print(f"{name:{width}}  {_shipped(name)}" if name in ships else name)
    return 0


def _shipped(name: str) -> str:
    """What ships under a name, in words."""
    folder = ModelFolder.find(name)
    measured = folder.measured()
    scores = [f"{key} {value:g}" for key, value in measured.get("metrics", {}).items()]
    on = f" on {measured['validation_photos']} photos" if scores else ""
    size = folder.weights.stat().st_size / 1e6
    return f"weights ship: {size:.1f} MB, sees {folder.size} px; {', '.join(scores)}{on}"


_LISTS = {
    "models": "colorizer.models",
    "heads": "colorizer.models",
    "losses": "colorizer.losses",
    "metrics": "colorizer.metrics",
    "loggers": "colorizer.training.loggers",
    "datasets": "colorizer.data.datasets",
    "augmentations": "colorizer.data.jitter",
}
"""What can be listed -> the module that registers it."""


def _runs_parser() -> Parser:
    parser = Parser(description="show the runs of a folder: what differs, and how each ended")
    parser.add_argument("folder", metavar="DIR", help="of run folders, such as runs/")
    parser.add_argument(
        "--sort", default="val/loss", metavar="COLUMN", help="the lowest first (default: val/loss)"
    )
    parser.add_argument("--csv", action="store_true", help="as CSV, for other programs")
    return parser


def _runs(args: Namespace) -> int:
    runs = training_side("colorizer.training.runs")
    rows = runs.table(runs.find_runs(args.folder), args.sort)
    if args.csv:
        print(runs.to_csv(rows), end="")
        return 0
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
    return 0


_VERBS: dict[str, tuple[Callable[[], Parser], Callable[..., int]]] = {
    "colorize": (_colorize_parser, _colorize),
    "serve": (_serve_parser, _serve),
    "site": (_site_parser, _site),
    "video": (_video_parser, _video),
    "train": (_train_parser, _train),
    "evaluate": (_evaluate_parser, _evaluate),
    "prepare": (_prepare_parser, _prepare),
    "calibrate": (_calibrate_parser, _calibrate),
    "likeness": (_likeness_parser, _likeness),
    "export": (_export_parser, _export),
    "average": (_average_parser, _average),
    "runs": (_runs_parser, _runs),
    "report": (_report_parser, _report),
    "list": (_list_parser, _list),
}

if __name__ == "__main__":
    sys.exit(main())
