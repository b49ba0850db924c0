"""`colorizer <verb>`: parse, call, print.

Longer than other files, as each verb is its flags beside its call, and nothing else.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from colorizer import __version__
from colorizer.config import Settings
from colorizer.errors import UsageError
from colorizer.extras import training_side
from colorizer.options import (
    DEFAULT_MODEL,
    CalibrateOptions,
    ClusterOptions,
    ColorizeOptions,
    EvaluateOptions,
    FilmOptions,
    FolderOptions,
    PrepareOptions,
    ServeOptions,
)
from colorizer.parser import Parser, answer

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
    from colorizer.cluster import verb
    from colorizer.inference import pipe
    from colorizer.inference.colorizer import Colorizer
    from colorizer.inference.folders import jobs as plan
    from colorizer.inference.folders import run as batch
    from colorizer.pictures.quiet import silence

    silence()
    folder = FolderOptions.of_flags(vars(args))
    options = ColorizeOptions.of_flags(vars(args), variant=folder.variants)  # whether the model can
    cluster = ClusterOptions.of_flags(vars(args))
    if verb.is_wanted(args.paths, args.output, cluster):
        if args.uncertainty:
            raise UsageError("an uncertainty map is of a photo of this machine, not of a store")
        if options.hints is not None:
            raise UsageError("hints are of one photo of this machine; leave --hints out")
        return verb.colorize(args.paths, args.output, args.model, options, folder, cluster)
    if pipe.is_piped(args.paths, args.output):
        if args.uncertainty or folder.variants > 1:
            raise UsageError("a picture of a pipe becomes one; leave out --uncertainty, --variants")
        colorizer = Colorizer(args.model, **vars(options))
        (path,) = args.paths
        _print_notes(pipe.pipe(path, args.output, colorizer, folder.format, folder.overwrite))
        return 0
    jobs = plan.plan(args.paths, args.output, folder.variants, folder.format)
    mine = plan.shard(jobs, folder.shard)
    if not mine:
        several = f"{len(jobs)} photos" if len(jobs) > 1 else str(jobs[0].source)
        _print_notes(
            [f"nothing to do: {several} not in share {plan.share_name(jobs, folder.shard)}"]
        )
    one = plan.one_picture(jobs, "an uncertainty map is") if args.uncertainty else None
    if options.hints is not None:
        plan.one_picture(jobs, "hints are")
    workers = batch.workers_of(folder.workers, len(mine))
    threads = options.threads or batch.threads_of(workers)
    colorizer = Colorizer(args.model, **vars(options) | {"threads": threads})
    if one and mine:
        if not folder.overwrite:
            batch.check_replaceable(Path(args.uncertainty))
        colorizer.with_options(variant=1).uncertainty_file(one, args.uncertainty)
    result = batch.run(
        mine,
        colorizer,
        workers=workers,
        memory=folder.memory,
        report=plan.report_path(args.output, jobs, folder.shard),
        overwrite=folder.overwrite,
    )
    _print_notes(result.notes)
    if len(jobs) == 1 and result.done:
        print(jobs[0].destination)
    elif len(jobs) > 1 or result.skipped:
        counts = f"{len(result.done)} colored, {len(result.skipped)} done before"
        others = f", {len(result.passed)} no pictures" if result.passed else ""
        print(f"{counts}, {len(result.failed)} failed{others}")
    return result.status


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


def _print_notes(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def _video_parser() -> Parser:
    parser = Parser(description="color a film; frame times, sound and subtitles are kept")
    parser.add_argument("film", metavar="IN", help="a film, or a folder of frames")
    parser.add_argument(
        "output", metavar="OUT", help="its extension selects the container; without: a folder"
    )
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="a shipped model's name, or a model folder"
    )
    FilmOptions.add_flags(parser)
    return parser


def _video(args: Namespace) -> int:
    from colorizer.film import colorize_film
    from colorizer.pictures.quiet import silence

    silence()
    options = FilmOptions.of_flags(vars(args))
    try:
        result = colorize_film(args.film, args.output, args.model, **vars(options))
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last whole segment", file=sys.stderr)
        return 130
    _print_notes(result.notes)
    for place in result.damage[:20]:
        print(f"damaged: {place}", file=sys.stderr)
    if len(result.damage) > 20:
        print(f"damaged: {len(result.damage) - 20} more places", file=sys.stderr)
    shots = f"{len(result.shots)} shots, " if result.shots else ""
    print(f"{result.frames} frames, {shots}{sum(result.seconds.values()):.0f} s")
    print(result.path)
    return 1 if result.damage else 0


def _train_parser() -> Parser:
    parser = Parser(description="train a model on a folder of photos or tar shards")
    parser.add_argument("--config", action="config", help="a YAML file of settings")
    parser.add_argument(
        "--resume",
        type=str | None,
        metavar="RUN",
        help="go on with this run folder, under its own settings, from its newest checkpoint",
    )
    parser.add_class_arguments(Settings, skip={"inference"})
    return parser


def _train(args: Namespace) -> int:
    training = training_side("colorizer.training")
    chosen = _train_parser().instantiate(args).as_dict()
    settings = Settings(**{k: v for k, v in chosen.items() if k not in ("config", "resume")})
    training.train(settings, resume=args.resume)
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
    return parser


def _export(args: Namespace) -> int:
    weights = training_side("colorizer.weights")
    ours, others = ("size", "temperature", "moderation", "gain"), ("opset", "static")
    portable = args.out.endswith(".onnx")
    names, foreign = (others, ours) if portable else (ours, others)
    if given := [f"--{name}" for name in foreign if args[name] is not None]:
        kind = "of a model folder" if portable else "of OUT.onnx, a graph for other runtimes"
        raise UsageError(f"{' and '.join(given)}: options {kind}, but OUT is {args.out}")
    options = {name: args[name] for name in names if args[name] is not None}
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
    return parser


def _average(args: Namespace) -> int:
    weights = training_side("colorizer.weights")
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
    return parser


def _calibrate(args: Namespace) -> int:
    calibration = training_side("colorizer.evaluation.calibration")
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


def _evaluate_parser() -> Parser:
    parser = Parser(description="compare models on photos in color")
    parser.add_argument(
        "--model",
        nargs="+",
        action="extend",
        required=True,
        help="shipped names, model folders, or NAME=FOLDER; `gray` and `original` are added",
    )
    parser.add_argument("--data", required=True, help="a folder of photos, tar shards, or a film")
    parser.add_argument(
        "--report",
        type=str | None,
        metavar="DIR",
        help="folder for report.html, report.json, pictures.csv and sheet.jpg",
    )
    EvaluateOptions.add_flags(parser)
    return parser


def _evaluate(args: Namespace) -> int:
    evaluation = training_side("colorizer.evaluation")
    options = vars(EvaluateOptions.of_flags(vars(args)))
    result = evaluation.evaluate(args.model, args.data, args.report, **options)
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
    from colorizer.cluster import verb

    return verb.report(args.folder)


def _list_parser() -> Parser:
    parser = Parser(description="list the names that the factories know")
    parser.add_argument("what", choices=["models", "losses", "metrics"])
    return parser


def _list(args: Namespace) -> int:
    names = getattr(training_side(f"colorizer.{args.what}"), f"list_{args.what}")()
    print("\n".join(names))
    return 0


_VERBS: dict[str, tuple[Callable[[], Parser], Callable[[Namespace], int]]] = {
    "colorize": (_colorize_parser, _colorize),
    "serve": (_serve_parser, _serve),
    "video": (_video_parser, _video),
    "train": (_train_parser, _train),
    "evaluate": (_evaluate_parser, _evaluate),
    "prepare": (_prepare_parser, _prepare),
    "calibrate": (_calibrate_parser, _calibrate),
    "export": (_export_parser, _export),
    "average": (_average_parser, _average),
    "report": (_report_parser, _report),
    "list": (_list_parser, _list),
}

if __name__ == "__main__":
    sys.exit(main())
