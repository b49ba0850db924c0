"""Name -> constructor: the factories of models, heads, losses, metrics and all else."""

import fnmatch
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from colorizer.errors import UnknownNameError, UsageError
from colorizer.support.nearest import did_you_mean
from colorizer.support.plugins import load_installed, named

__all__ = [
    "AUGMENTATIONS",
    "DATASETS",
    "HEADS",
    "LOGGERS",
    "LOSSES",
    "METRICS",
    "MODELS",
    "Registry",
]

C = TypeVar("C", bound=Callable[..., Any])


class Registry(Mapping[str, Callable[..., Any]]):
    """A mapping of names to constructors, filled by the decorator `register`.

    Args:
        kind: what it holds, for messages: "model", "head", "loss", ...
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._constructors: dict[str, Callable[..., Any]] = {}
        self._renamed: dict[str, str] = {}

    def register(self, name: str, *, formerly: tuple[str, ...] = ()) -> Callable[[C], C]:
        """Decorate a class or function to make it known as `name`.

        A name is taken once; the same class, defined anew as in a notebook, replaces itself. The
        names that it had `formerly` are taken too, with a FutureWarning, and are not listed. Raises
        UsageError for a name that is another's, or has a dot: those are `module.Class`.
        """
        if not name or "." in name:
            raise UsageError(f"{self.kind} {name!r}: a name has no dot (module.Class has one)")

        def decorate(constructor: C) -> C:
            before = self._constructors.get(name)
            if before is not None and _identity(before) != _identity(constructor):
                raise UsageError(
                    f"the {self.kind} {name!r} is registered already, by "
                    f"{'.'.join(_identity(before))}: choose another name"
                )
            self._constructors[name] = constructor
            self._renamed |= dict.fromkeys(formerly, name)
            return constructor

        return decorate

    def __getitem__(self, name: str) -> Callable[..., Any]:
        """The constructor called `name`, be it `module.Class` of code that is imported then.

        Raises:
            UnknownNameError: with the nearest known names.
        """
        if name not in self._constructors:
            load_installed()
        if name in self._constructors:
            return self._constructors[name]
        if name in self._renamed:
            now = self._renamed[name]
            warnings.warn(f"the {self.kind} {name!r} is called {now!r} now", FutureWarning, 2)
            return self._constructors[now]
        if "." in name:
            return named(name, self.kind)
        known = sorted(self._constructors)
        hint = did_you_mean(name, known) or ";"
        raise UnknownNameError(f"unknown {self.kind} {name!r}{hint} known: {', '.join(known)}")

    def names(self, pattern: str | None = None) -> list[str]:
        """The names, sorted: all, or those that match a pattern such as `*cross*` or hold a text.

        Raises: UsageError where none does.
        """
        known = list(self)
        if pattern is None:
            return known
        wild = pattern if any(c in pattern for c in "*?[") else f"*{pattern}*"
        found = fnmatch.filter(known, wild)
        if not found:
            raise UsageError(
                f"no {self.kind}'s name matches {pattern!r}; known: {', '.join(known)}"
            )
        return found

    def create(self, name: str, **options: Any) -> Any:
        """Call the constructor `name` with `options`, checked against its signature and types.

        Raises UnknownNameError for the name, UsageError for an option that it does not take.
        """
        from jsonargparse import ArgumentError, ArgumentParser

        constructor = self[name]
        parser = ArgumentParser(exit_on_error=False)
        if isinstance(constructor, type):
            parser.add_class_arguments(constructor, fail_untyped=False)
        else:  # what a constructor gives no type to takes anything
            parser.add_function_arguments(constructor, fail_untyped=False)
        try:
            checked = parser.parse_object(options).as_dict()
        except ArgumentError as error:
            accepted = ", ".join(inspect.signature(constructor).parameters) or "no options"
            raise UsageError(
                f"{self.kind} {name!r}: {' '.join(str(error).split())} (it takes {accepted})"
            ) from error
        return constructor(**checked)

    def __contains__(self, name: object) -> bool:
        return name in self._constructors

    def __iter__(self) -> Iterator[str]:
        load_installed()
        return iter(sorted(self._constructors))

    def __len__(self) -> int:
        return len(self._constructors)


def _identity(constructor: Callable[..., Any]) -> tuple[str, str]:
    qualified = getattr(constructor, "__qualname__", type(constructor).__qualname__)
    return constructor.__module__, qualified


MODELS = Registry("model")
HEADS = Registry("head")
LOSSES = Registry("loss")
METRICS = Registry("metric")
DATASETS = Registry("dataset")
AUGMENTATIONS = Registry("augmentation")
LOGGERS = Registry("logger")
