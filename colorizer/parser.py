"""Command lines: wrong ones, and whatever else goes wrong, are answered with one sentence."""

import os
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from jsonargparse import ArgumentParser

from colorizer.errors import ColorizerError, UsageError
from colorizer.support.nearest import did_you_mean

__all__ = ["Parser", "answer"]


class Parser(ArgumentParser):
    """Answers a wrong argument with one sentence, not with the whole usage."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        sentence = " ".join(message.split())
        unknown = re.search(r"unrecognized arguments?: (--[^\s=]+)", sentence)
        if unknown:
            known = [o for p in self._parsers() for a in p._actions for o in a.option_strings]
            sentence += did_you_mean(unknown[1], known).replace("'", "")
        raise UsageError(f"{sentence} (see {self.prog.replace('[options] ', '')} --help)") from ex

    def _parsers(self) -> list[ArgumentParser]:
        verbs = [a.choices for a in self._actions if isinstance(a.choices, dict)]
        return [self, *(parser for choices in verbs for parser in choices.values())]


def answer(run: Callable[[], int]) -> int:
    """What `run` returns; an error becomes one sentence and its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that a console cannot show is no error
            stream.reconfigure(errors="backslashreplace")  # ty: ignore[not-callable]
    try:
        try:
            return run()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # as `head` closes it, when it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # what a shell says of a program that the system ended for it
    except ColorizerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
