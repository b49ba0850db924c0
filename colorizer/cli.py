"""`colorizer <verb>`, and the historic `colorize.py`: parse, call, print."""

import runpy
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from colorizer.config import Settings
from colorizer.errors import ColorizerError, UsageError
from colorizer.extras import training_side

__all__ = ["historic", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run `colorizer`; returns the exit status: 0 all done, 1 some inputs failed, 2 bad usage."""
    parser = ArgumentParser(
        prog="colorizer", description="Color grayscale photographs.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"colorizer {version('colorizer')}")
    verbs = parser.add_subcommands(dest="verb")
    for name, (build, _) in _VERBS.items():
        verb = build()
        verbs.add_subcommand(name, verb, help=verb.description)
    return _answer(lambda: _run(parser, argv))


def historic(config: Path, argv: Sequence[str] | None = None) -> int:
    """Run `colorize.py`; returns the exit status as `main`.

    Args:
        config: a Python file that defines `settings`; a relative `settings.inference.output` is
            relative to its folder.
        argv: `--mode=train`, or `--mode=inference --image_path=PHOTO [--state_dict_path=WEIGHTS]`.
    """
    parser = ArgumentParser(
        prog="colorize.py",
        description=f"Train a model, or color one photo, with the settings of {config.name}.",
        allow_abbrev=False,
    )
    parser.add_argument("--mode", choices=["train", "inference"], required=True)
    parser.add_argument("--image_path", help="the photo to color (inference)")
    parser.add_argument(
        "--state_dict_path", help="a .safetensors or .pth state dict trained here (inference)"
    )

    def run() -> int:
        args = parser.parse_args(argv)
        settings = _settings_of(config)
        if args.mode == "train":
            if args.image_path or args.state_dict_path:
                raise UsageError("--image_path and --state_dict_path go with --mode=inference")
            training_side("colorizer.training").train(settings)
            return 0
        if not args.image_path:
            raise UsageError("--mode=inference needs --image_path=PHOTO")
        model = settings.inference.model
        if args.state_dict_path:
            weights = training_side("colorizer.weights")
            model = weights.folder_for_state_dict(args.state_dict_path, settings.model)
        output = config.parent / settings.inference.output
        output.parent.mkdir(parents=True, exist_ok=True)
        from colorizer.inference.colorizer import colorize_file

        for note in colorize_file(args.image_path, output, model):
            print(f"note: {note}", file=sys.stderr)
        print(output)
        return 0

    return _answer(run)


def _answer(run: Callable[[], int]) -> int:
    """What `run` returns; an error becomes one sentence and its exit status."""
    try:
        return run()
    except ColorizerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _run(parser: ArgumentParser, argv: Sequence[str] | None) -> int:
    args = parser.parse_args(argv)
    return _VERBS[args.verb][1](args[args.verb])


def _settings_of(config: Path) -> Settings:
    try:
        settings = runpy.run_path(str(config)).get("settings")
    except UsageError as error:
        raise UsageError(f"{config.name}: {error}") from error
    except Exception as error:  # a user's Python file can fail in any way
        raise UsageError(f"{config.name}: {type(error).__name__}: {error}") from error
    if not isinstance(settings, Settings):
        raise UsageError(f"{config.name} must define `settings = Settings()`")
    return settings


def _colorize_parser() -> ArgumentParser:
    parser = ArgumentParser(description="color photos: one, several, or folders")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a photo or a folder of photos")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="a file for one photo, a folder for several (default: PHOTO-colored.EXT beside each)",
    )
    parser.add_argument(
        "--model", default="colornet18", help="a shipped model's name, or a model folder"
    )
    parser.add_argument(
        "--size",
        type=int | None,
        help="short side at which the network sees a photo, in pixels (default: the model's)",
    )
    parser.add_argument(
        "--vividness", type=float, default=1.0, help="factor on chroma, 0 (gray) to 2"
    )
    parser.add_argument(
        "--temperature",
        type=float | None,
        help="of a model with the distribution head: lower is more vivid (default: the model's)",
    )
    return parser


def _colorize(args: Namespace) -> int:
    from colorizer.inference import batch
    from colorizer.inference.colorizer import Colorizer

    jobs = batch.plan(args.paths, args.output)
    colorizer = Colorizer(
        args.model, size=args.size, vividness=args.vividness, temperature=args.temperature
    )
    result = batch.run(jobs, colorizer)
    for note in result.notes:
        print(f"note: {note}", file=sys.stderr)
    if len(jobs) == 1 and result.done:
        print(jobs[0].destination)
    elif len(jobs) > 1:
        counts = f"{len(result.done)} colored, {len(result.skipped)} done before"
        print(f"{counts}, {len(result.failed)} failed")
    return result.status


def _train_parser() -> ArgumentParser:
    parser = ArgumentParser(description="train a model on a folder of photos or tar shards")
    parser.add_argument("--config", action="config", help="a YAML file of settings")
    parser.add_argument(
        "--resume",
        type=str | None,
        metavar="RUN",
        help="go on with this run folder, under its own settings, from its last whole epoch",
    )
    parser.add_class_arguments(Settings, skip={"inference"})
    return parser


def _train(args: Namespace) -> int:
    training = training_side("colorizer.training")
    chosen = _train_parser().instantiate(args).as_dict()
    settings = Settings(**{k: v for k, v in chosen.items() if k not in ("config", "resume")})
    training.train(settings, resume=args.resume)
    return 0


def _export_parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="turn a trained state dict into a model folder, or change one's defaults"
    )
    parser.add_argument(
        "source", metavar="STATE_DICT", help=".safetensors, .pth or .ckpt, or a model folder"
    )
    parser.add_argument("folder", metavar="OUT", help="the model folder to write")
    parser.add_argument(
        "--model",
        type=dict[str, Any] | None,
        help="of a state dict: its model's name and options, as in training (default: colornet18)",
    )
    parser.add_argument("--size", type=int | None, help="default working size, in pixels")
    parser.add_argument(
        "--temperature", type=float | None, help="default temperature of a distribution head"
    )
    return parser


def _export(args: Namespace) -> int:
    weights = training_side("colorizer.weights")
    options = {name: args[name] for name in ("model", "size", "temperature")}
    print(weights.export_weights(args.source, args.folder, **options))
    return 0


def _list_parser() -> ArgumentParser:
    parser = ArgumentParser(description="list the names that the factories know")
    parser.add_argument("what", choices=["models", "losses", "metrics"])
    return parser


def _list(args: Namespace) -> int:
    names = getattr(training_side(f"colorizer.{args.what}"), f"list_{args.what}")()
    print("\n".join(names))
    return 0


_VERBS: dict[str, tuple[Callable[[], ArgumentParser], Callable[[Namespace], int]]] = {
    "colorize": (_colorize_parser, _colorize),
    "train": (_train_parser, _train),
    "export": (_export_parser, _export),
    "list": (_list_parser, _list),
}

if __name__ == "__main__":
    sys.exit(main())
