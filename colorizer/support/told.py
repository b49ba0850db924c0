"""What users and programs tell: JSON that means one thing, and values as sentences show them."""

import json
import reprlib
from pathlib import Path
from typing import Any, NoReturn

from colorizer.errors import ColorizerError, UsageError

__all__ = ["read_json", "read_json_file", "shown"]

DEEPEST = 32
"""Levels of lists and objects; nothing here has more than six."""

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlong, _SHORT.maxlevel = 40, 3


def shown(value: object) -> str:
    """As `repr`, of bounded length and depth, for a sentence about a wrong value."""
    return _SHORT.repr(value)


def read_json(text: str | bytes) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: it is no JSON, or such as programs read differently: a name twice in an object,
            NaN, half a character, or deeper than `DEEPEST`.
    """
    try:
        found = json.loads(text, object_pairs_hook=_named_once, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError(_DEEP) from error
    waiting, depth = [found], 0
    while waiting:
        if depth > DEEPEST:
            raise ValueError(_DEEP)
        waiting, depth = [part for one in waiting for part in _parts(one)], depth + 1
    return found


def read_json_file(path: Path) -> Any:
    """What a JSON file of the user's says.

    Raises: ColorizerError where it cannot be read, UsageError where `read_json` refuses it.
    """
    try:
        return read_json(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ColorizerError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is no valid JSON: {error}") from error


_DEEP = f"it is nested more than {DEEPEST} levels deep"


def _parts(value: Any) -> list[Any]:
    """What a value holds; raises UnicodeEncodeError, a ValueError, for half a character."""
    if isinstance(value, str):
        value.encode()
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {shown(twice)} is given twice")
    return found


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
