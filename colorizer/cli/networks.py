"""The verbs that train, measure and change networks: their flags, and their calls."""

import sys
from collections.abc import Callable
from typing import Any

from jsonargparse import ActionConfigFile, Namespace

from colorizer import registry
from colorizer.cli.flags import add_plugins, load_named_plugins, print_notes
from colorizer.config import Settings, recipe
from colorizer.errors import UsageError
from colorizer.extras import training_side
from colorizer.model_folder import ModelFolder, shipped_models
from colorizer.options import (
    CalibrateOptions,
    EvaluateOptions,
    ExportOptions,
    LikenessOptions,
    PrepareOptions,
)
from colorizer.parser import Parser

__all__ = ["NETWORKS", "train"]


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


def train(args: Namespace, given: Namespace) -> int:
    """`given` is what was said, apart from the defaults."""
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
    from colorizer.preparation import prepare

    try:
        result = prepare(args.photos, args.out, **vars(PrepareOptions.of_flags(vars(args))))
    except KeyboardInterrupt:
        print(
            f"stopped; what is whole lies in {args.out}, and the same command goes on from there",
            file=sys.stderr,
        )
        return 130
    print_notes(result.notes)
    for name, reason in result.failed:
        print(f"failed: {name}: {reason}", file=sys.stderr)
    left_out = ", ".join(f"{count} {reason}" for reason, count in result.rejected.items())
    print(f"{result.kept} kept; left out: {left_out or 'none'}; {result.new} files looked at now")
    print(result.out / "report.html")
    return result.status


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
    ExportOptions.add_flags(parser)
    add_plugins(parser)
    return parser


def _export(args: Namespace) -> int:
    weights = training_side("colorizer.weights")
    load_named_plugins(args)
    portable = args.out.endswith(".onnx")
    decoding = ("size", "temperature", "moderation", "gain")
    names = ("opset", "static", "simple") if portable else decoding
    options = ExportOptions.of_flags(vars(args))
    options.only(names, "OUT.onnx" if portable else "a model folder as OUT")
    given = {
        name: value for name in names if (value := getattr(options, name)) not in (None, False)
    }
    make = weights.export_portable if portable else weights.export_weights
    print(make(args.source, args.out, model=args.model, **given))
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
    add_plugins(parser)
    return parser


def _average(args: Namespace) -> int:
    weights = training_side("colorizer.weights")
    load_named_plugins(args)
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
    add_plugins(parser)
    return parser


def _calibrate(args: Namespace) -> int:
    calibration = training_side("colorizer.evaluation.calibration")
    load_named_plugins(args)
    options = vars(CalibrateOptions.of_flags(vars(args)))
    result = calibration.calibrate(args.model, args.data, args.output, **options)
    print_notes(result.notes)
    print(f"{result.photos} photos, whose own colorfulness is {result.original:.4g}\n\n{result}")
    chosen = result.chosen
    print(
        f"\nsize {chosen.size}, temperature {chosen.temperature:g}, moderation "
        f"{chosen.moderation:g}, gain {chosen.gain:g}: written to {args.output or args.model}"
    )
    return 0


def _likeness_parser() -> Parser:
    parser = Parser(
        description="learn from photos in color what follows a hint, or what references lend, and "
        "write it into a model's folder; its other weights stay what they are"
    )
    parser.add_argument("model", metavar="MODEL", help="a model folder, or a shipped model's name")
    parser.add_argument("--data", required=True, help="photos, as for training")
    LikenessOptions.add_flags(parser)
    add_plugins(parser)
    return parser


def _likeness(args: Namespace) -> int:
    training = training_side("colorizer.training.learn_likeness")
    load_named_plugins(args)
    options = vars(LikenessOptions.of_flags(vars(args)))
    path, notes = training.learn_likeness(args.model, args.data, **options)
    print_notes(notes)
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
    add_plugins(parser)
    return parser


def _evaluate(args: Namespace) -> int:
    evaluation = training_side("colorizer.evaluation")
    load_named_plugins(args)
    options = vars(EvaluateOptions.of_flags(vars(args)))
    if not (args.model or args.results):
        raise UsageError("nothing to evaluate: name models by --model, or results by --results")
    given = (args.model, args.data, args.report)
    result = evaluation.evaluate(*given, results=args.results, **options)
    print_notes(result["notes"])
    if options["blind"] is not None:
        print(result["blind"])
        return 0
    for photo in result["excluded"]:
        print(f"left out: {photo['photo']}: {photo['reason']}", file=sys.stderr)
    print(f"{result['pictures']} pictures, {result['protocol']['name']}\n")
    print(evaluation.markdown(result))
    return 0


def _list_parser() -> Parser:
    parser = Parser(description="list the names that the factories know")
    parser.add_argument("what", choices=list(_LISTS))
    parser.add_argument(
        "pattern", nargs="?", help="of the names to list, such as '*cross*', or a part of them"
    )
    add_plugins(parser)
    return parser


def _list(args: Namespace) -> int:
    load_named_plugins(args)
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


NETWORKS: dict[str, tuple[Callable[[], Parser], Callable[..., int]]] = {
    "train": (_train_parser, train),
    "evaluate": (_evaluate_parser, _evaluate),
    "prepare": (_prepare_parser, _prepare),
    "calibrate": (_calibrate_parser, _calibrate),
    "likeness": (_likeness_parser, _likeness),
    "export": (_export_parser, _export),
    "average": (_average_parser, _average),
    "runs": (_runs_parser, _runs),
    "list": (_list_parser, _list),
}
