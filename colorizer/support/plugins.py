"""Code of others: modules that a user names, and packages that say they extend us.

A module is imported where a user names it, or because it is installed with an entry point of the
group `colorizer.plugins`; never because a folder that was downloaded says so.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from colorizer.errors import ColorizerError, UnknownNameError, UsageError
from colorizer.support.nearest import did_you_mean

__all__ = ["GROUP", "check_known", "load_installed", "load_plugins", "named"]

GROUP = "colorizer.plugins"
"""The group of entry points whose modules are imported when a name is looked for."""

_installed = False


def load_plugins(names: Iterable[str]) -> None:
    """Import modules by name, found in the working folder too, or Python files by path.

    Raises:
        UsageError: there is no such module, or it fails.
    """
    for name in names:
        _load(name)


def load_installed() -> None:
    """Import what installed packages register; once."""
    global _installed
    if _installed:
        return
    _installed = True  # a plugin that looks up a name while it is imported does not come back
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:  # of others, in any way
            raise ColorizerError(
                f"the installed plugin {point.name!r} ({point.value}) fails: "
                f"{type(error).__name__}: {error}; mend or uninstall it"
            ) from error


def named(name: str, kind: str) -> Callable[..., Any]:
    """What `module.Class` names, imported.

    Raises:
        UnknownNameError: the module has no such class or function. UsageError: as `load_plugins`.
    """
    module, _, part = name.rpartition(".")
    found = _load(module)
    constructor = getattr(found, part, None)
    if not callable(constructor):
        public = [key for key, value in vars(found).items() if callable(value) and key[0] != "_"]
        raise UnknownNameError(
            f"unknown {kind} {name!r}: {module} has no {part}{did_you_mean(part, public)}"
        )
    return constructor


def check_known(names: Iterable[str], what: str) -> None:
    """Raise UsageError where a model folder needs modules that its user has not named.

    Args:
        names: of modules.
        what: that needs them, for the message.
    """
    load_installed()
    if missing := [name for name in names if name not in sys.modules]:
        listed = ",".join(missing)
        raise UsageError(
            f"{what} needs the code of {', '.join(missing)}, which is not colorizer's own: if you "
            f"trust it, name it by --plugins '[{listed}]', or import it first"
        )


def _load(name: str) -> ModuleType:
    path = Path(name)
    if path.suffix == ".py":
        return _of_file(path)
    if name in sys.modules:
        return sys.modules[name]
    sys.path.insert(0, os.getcwd())  # where a script of Python's would look too
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(
                f"there is no module {name!r}: give one that is installed or lies in {os.getcwd()},"
                " or the path of a .py file"
            ) from error
        raise _failing(name, error) from error
    except Exception as error:  # code of others fails in any way
        raise _failing(name, error) from error
    finally:
        sys.path.remove(os.getcwd())


def _of_file(path: Path) -> ModuleType:
    """A module of a file, called by its stem; again, if it is the same file, as it is."""
    full = path.expanduser().resolve()
    known = sys.modules.get(path.stem)
    if known is not None:
        if getattr(known, "__file__", None) == str(full):
            return known
        raise UsageError(f"plugin {path}: a module {path.stem!r} is there already; rename the file")
    spec = importlib.util.spec_from_file_location(path.stem, full)
    if spec is None or spec.loader is None or not full.is_file():
        raise UsageError(f"there is no plugin {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # as above
        del sys.modules[path.stem]
        raise _failing(str(path), error) from error
    return module


def _failing(name: str, error: Exception) -> UsageError:
    return UsageError(f"plugin {name} fails on import: {type(error).__name__}: {error}")
