"""Flags that several verbs have."""

import sys
from collections.abc import Iterable

from jsonargparse import Namespace

from colorizer.options import DEFAULT_MODEL
from colorizer.parser import Parser
from colorizer.support.plugins import load_plugins

__all__ = ["add_model", "add_plugins", "load_named_plugins", "print_notes"]


def add_model(parser: Parser) -> None:
    """`--model`, which colors."""
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="a shipped model's name, or a model folder"
    )


def print_notes(notes: Iterable[str]) -> None:
    """What was left out or changed, for standard error."""
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def add_plugins(parser: Parser) -> None:
    """`--plugins`, for verbs that know names of the registries."""
    parser.add_argument(
        "--plugins",
        type=list[str] | None,
        metavar="[MODULE,...]",
        help="modules, or .py files, of your own to import first: what they register can be named",
    )


def load_named_plugins(args: Namespace) -> None:
    """Import what `--plugins` names."""
    if args.plugins:
        load_plugins(args.plugins)
