"""`colorizer <verb>`: parse, call, print."""

import sys
from collections.abc import Sequence

from colorizer.cli.coloring import COLORING
from colorizer.cli.networks import NETWORKS, train
from colorizer.parser import Parser, answer
from colorizer.version import __version__

__all__ = ["main"]

_VERBS = COLORING | NETWORKS


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
        return train(args.train, parser.parse_args(argv, defaults=False).train)
    if args.verb in _PICTURES:
        from colorizer.pictures.quiet import silence

        silence()
    return _VERBS[args.verb][1](args[args.verb])


_PICTURES = ("colorize", "serve", "site", "video", "prepare")
"""Verbs that read pictures; libvips says what it thinks of them on standard error."""
