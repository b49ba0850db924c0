"""`colorize.py`, the historic entry: train, or color one photo, with the settings of a file."""

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from colorizer.config import Settings, size_as_trained
from colorizer.errors import UsageError
from colorizer.extras import training_side
from colorizer.parser import Parser, answer

__all__ = ["historic"]


def historic(config: Path, argv: Sequence[str] | None = None) -> int:
    """Run `colorize.py`; returns the exit status as `main`.

    Args:
        config: a Python file that defines `settings`; a relative `settings.inference.output` is
            relative to its folder.
        argv: `--mode=train`, or `--mode=inference --image_path=PHOTO [--state_dict_path=WEIGHTS]`.
    """
    parser = Parser(
        prog="colorize.py",
        description=f"Train a model, or color one photo, with the settings of {config.name}.",
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
            size = size_as_trained(settings.data)
            model = weights.folder_for_state_dict(args.state_dict_path, settings.model, size)
        output = config.parent / settings.inference.output
        output.parent.mkdir(parents=True, exist_ok=True)
        from colorizer.inference.colorizer import colorize_file

        for note in colorize_file(args.image_path, output, model):
            print(f"note: {note}", file=sys.stderr)
        print(output)
        return 0

    return answer(run)


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
