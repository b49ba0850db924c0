"""Options as data: a field is its default, its range and its help, and all else derives from it.

A dataclass has its fields made by `option`; from them come its docstring and the checks of ranges.
A subclass of `Options` is a frozen one, from which come the checks of the constructor, the flags of
the command line, and what is noted in a picture's metadata too.
"""

import copy
import math
import numbers
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import (
    TYPE_CHECKING,
    Any,
    Self,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from colorizer.errors import UsageError
from colorizer.support.nearest import did_you_mean
from colorizer.support.told import shown

if TYPE_CHECKING:
    from argparse import ArgumentParser

__all__ = ["Options", "astray", "documented", "option"]

T = TypeVar("T")

_MANY = (list, tuple)
_JSON = {bool: "boolean", int: "integer", float: "number", str: "string"}


@dataclass(frozen=True)
class _About:
    help: str
    low: float | None
    high: float | None
    above: float | None
    below: float | None
    choices: tuple[str, ...]
    unit: str
    flag: bool
    metavar: str | None
    note: str | Callable[[Any], str] | None
    always: bool
    again: bool


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: tuple[str, ...] = (),
    unit: str = "",
    flag: bool = True,
    metavar: str | None = None,
    note: str | Callable[[Any], str] | None = "",
    always: bool = False,
    again: bool = False,
) -> Any:
    """A field of a dataclass of options; its annotation (`int | None`) tells the type.

    Args:
        default: None must be explained by `help`, and then passes every check; of a bool of
            `Options` it is False, and the flag makes it True. What can be changed is copied.
        help: what it does, for the command line and the class's docstring.
        low, high: the smallest and largest accepted value, of a list of each; `above`, `below`: all
            accepted ones are larger, smaller.
        choices: the accepted words.
        unit: of a number, for messages.
        flag: whether the command line has it: `--name`, with dashes for underscores.
        metavar: of that flag.
        note: how a value other than the default is told in metadata: a text, with `{}` for the
            value, or a function of it; by default the name and the value; None is never told.
        always: tell the default too.
        again: the flag may come several times, and gives a list.
    """
    about = _About(help, low, high, above, below, choices, unit, flag, metavar, note, always, again)
    if type(default).__hash__ is None:  # it can be changed
        return field(default_factory=lambda: copy.deepcopy(default), metadata={"about": about})
    return field(default=default, metadata={"about": about})


def documented(cls: type[T]) -> type[T]:
    """The class, its docstring followed by what its fields, and those of the classes above, are."""
    held = getattr(cls, "__dataclass_fields__", {}) | vars(cls)
    lines = [
        f"    {name}: {f.metadata['about'].help}."
        for name, f in held.items()
        if hasattr(f, "metadata")
    ]
    cls.__doc__ = "\n".join([cls.__doc__ or "", "", "Args:", *lines])
    return cls


def astray(held: Any) -> Iterator[str]:
    """Each number of a dataclass that is out of its range: name, value, and what is accepted."""
    for name, about in _about(type(held)).items():
        value = getattr(held, name)
        many = value if isinstance(value, _MANY) else [value]
        if not all(_in_range(about, v) for v in many if isinstance(v, int | float)):
            yield f"{name} is {shown(value)}; accepted are {_accepted(type(held), name, about)}"


@dataclass(frozen=True)
class Options:
    """The base of every options class.

    Raises:
        UsageError: a value of another type or out of range.
    """

    def __init_subclass__(cls) -> None:
        documented(cls)

    def __post_init__(self) -> None:
        for name, about in _about(type(self)).items():
            value = getattr(self, name)
            if value is None and self._default(name) is None:
                continue
            if not _accepts(_type(type(self), name), about, value):
                raise UsageError(
                    f"{name} is {shown(value)}; accepted are {_accepted(type(self), name, about)}"
                )

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Options of these values, and defaults; raises UsageError for an unknown name too."""
        cls._check_names(values)
        return cls(**values)

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """A copy with other values; raises as `of`."""
        self._check_names(changes)
        return replace(self, **changes)

    def only(self, names: Collection[str], work: str) -> None:
        """Raise UsageError if an option beside these is set: it would be dropped in silence.

        Args:
            names: what goes with this work.
            work: what is done, for the message, such as "a film".
        """
        others = [
            f"--{name.replace('_', '-')}"
            for name in _about(type(self))
            if name not in names and _differs(getattr(self, name), self._default(name))
        ]
        if others:
            verb = "does" if len(others) == 1 else "do"
            raise UsageError(f"{', '.join(others)} {verb} not go with {work}; leave it out")

    def noted(self) -> list[str]:
        """What differs from the defaults, in the words of the fields."""
        told: list[str] = []
        for name, about in _about(type(self)).items():
            value = getattr(self, name)
            if about.note is None or not (about.always or _differs(value, self._default(name))):
                continue
            if callable(about.note):
                told.append(str(about.note(value)))
            else:
                text = f"{value:g}" if isinstance(value, float) else str(value)
                told.append((about.note or f"{name} {{}}").format(text))
        return told

    @classmethod
    def schema(cls, name: str) -> dict[str, Any]:
        """What a field accepts, as JSON Schema (2020-12); raises UsageError for an unknown name."""
        cls._check_names({name: None})
        about, kind = _about(cls)[name], _type(cls, name)
        told: dict[str, Any] = {"description": about.help}
        if about.choices:
            told["enum"] = list(about.choices)
        elif kind in _JSON:
            told["type"] = _JSON[kind]
        bounds = {"minimum": about.low, "maximum": about.high}
        bounds |= {"exclusiveMinimum": about.above, "exclusiveMaximum": about.below}
        told |= {word: bound for word, bound in bounds.items() if bound is not None}
        default = cls._default(name)
        return told if default is None else told | {"default": default}

    @classmethod
    def add_flags(cls, parser: "ArgumentParser") -> None:
        """Add a flag to a parser for each field that has one."""
        for name, about in _about(cls).items():
            if not about.flag:
                continue
            flag = f"--{name.replace('_', '-')}"
            if _type(cls, name) is bool:
                parser.add_argument(flag, action="store_true", help=about.help)
                continue
            default = cls._default(name)
            parser.add_argument(
                flag,
                action="append" if about.again else "store",
                default=str(list(default)) if isinstance(default, tuple) else default,
                metavar=about.metavar or "|".join(about.choices) or None,
                help=_help(cls, name, about),
            )

    @classmethod
    def of_flags(cls, args: Mapping[str, Any], **others: Any) -> Self:
        """The options that a parsed command line gives, texts read as what the fields are.

        Args:
            args: by name, with underscores; what is no field is left alone.
            others: values of fields without a flag.
        """
        given = {
            name: _read(_type(cls, name), args[name])
            for name, about in _about(cls).items()
            if about.flag
        }
        return cls(**given, **others)

    @classmethod
    def _check_names(cls, names: Mapping[str, Any]) -> None:
        known = _about(cls)
        for name in names:
            if name not in known:
                hint = did_you_mean(name, known) or f"; known: {', '.join(known)}"
                raise UsageError(f"there is no option {shown(name)}{hint}")

    @classmethod
    def _default(cls, name: str) -> Any:
        return cls.__dataclass_fields__[name].default


@cache
def _about(cls: Any) -> dict[str, _About]:
    return {f.name: f.metadata["about"] for f in fields(cls)}


@cache
def _type(cls: type, name: str) -> Any:
    """The annotation of a field, less "or None"."""
    kind = get_type_hints(cls)[name]
    if get_origin(kind) in (Union, types.UnionType):
        return next(part for part in get_args(kind) if part is not type(None))
    return kind


def _accepts(kind: Any, about: _About, value: Any) -> bool:
    if get_origin(kind) in _MANY:
        part = get_args(kind)[0]
        whole = isinstance(value, list | tuple) and len(value) > 0
        return whole and all(_accepts(part, about, each) for each in value)
    if about.choices:
        return value in about.choices
    if kind is bool:
        return isinstance(value, bool)
    if kind not in (int, float):
        return value is not None
    number = numbers.Integral if kind is int else numbers.Real
    if not isinstance(value, number) or isinstance(value, bool) or not _is_finite(value):
        return False
    return _in_range(about, value)


def _in_range(about: _About, value: Any) -> bool:
    return (
        (about.low is None or value >= about.low)
        and (about.above is None or value > about.above)
        and (about.high is None or value <= about.high)
        and (about.below is None or value < about.below)
    )


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False


def _accepted(cls: type, name: str, about: _About) -> str:
    if about.choices:
        return f"{', '.join(about.choices[:-1])} and {about.choices[-1]}"
    kind, many = _type(cls, name), ""
    if get_origin(kind) in _MANY:
        kind, many = get_args(kind)[0], "lists of "
        if kind not in (int, float):
            return f"{many}words"
    if kind not in (int, float):
        return {bool: "True and False"}.get(kind, "values other than None")
    parts = many + ("whole numbers" if kind is int else "numbers")
    if about.above is not None:
        parts += f" above {about.above:g}"
        parts += "" if about.high is None else f", up to {about.high:g}"
        parts += "" if about.below is None else f" and below {about.below:g}"
    elif about.low is not None:
        parts += f" from {about.low:.12g} "
        if about.below is not None:
            parts += f"on, below {about.below:g}"
        else:
            parts += "on" if about.high is None else f"to {about.high:.12g}"
    return f"{parts} ({about.unit})" if about.unit else parts


def _help(cls: type[Options], name: str, about: _About) -> str:
    ranged = about.low is not None or about.above is not None
    return f"{about.help}; {_accepted(cls, name, about)}" if ranged else about.help


def _differs(value: Any, default: Any) -> bool:
    return value is not default and not (isinstance(value, type(default)) and value == default)


def _read(kind: Any, text: Any) -> Any:
    """A flag's text as what the field is; as it is if it cannot be read, for the check to name."""
    if not isinstance(text, str) or kind in (str, bool):
        return text
    if get_origin(kind) in _MANY:
        import yaml

        try:
            found = yaml.safe_load(text)
        except yaml.YAMLError:
            return [text]
        if not isinstance(found, list):  # one is enough
            found = [str(found) if get_args(kind)[0] is str else found]
        return get_origin(kind)(found)
    try:
        return kind(text) if kind in (int, float) else text
    except ValueError:
        return text
