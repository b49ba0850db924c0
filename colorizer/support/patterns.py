"""Addresses that stand for several: braces, as a shell expands them, and wildcards."""

import glob
import os
import re
from itertools import product

from colorizer.support.retries import persist
from colorizer.support.stores import connect, is_remote

__all__ = ["expand", "expand_braces"]


def expand(location: str) -> list[str]:
    """The addresses that a pattern stands for: {000..999}, {a,b}, and * ? [ ] where it has them.

    What is there under just this name is meant as it is, and so are the folders that it names.

    Raises:
        ColorizerError: the store cannot be listed.
    """
    folder, last = _apart(location)
    if not any(sign in last for sign in "*?[{"):
        return [location]
    found = []
    for name in expand_braces(last):
        url = folder + name
        if not any(sign in name for sign in "*?["):
            found.append(url)
            continue
        pattern = re.sub(r"([*?[])", r"[\1]", folder) + name
        if not is_remote(url):
            found += sorted(glob.glob(pattern, recursive=True))
            continue
        fs, path = connect(pattern)
        fs.invalidate_cache()
        paths = sorted(persist(lambda fs=fs, path=path: fs.glob(path), url))
        found += [fs.unstrip_protocol(p) for p in paths]
    return found


def _apart(location: str) -> tuple[str, str]:
    """The longest beginning that is no pattern, or that is there as it is; and the rest."""
    parts = re.split(r"(?<=[^/])(?=/)", location)
    for count in range(len(parts), 0, -1):
        folder = "".join(parts[:count])
        if not re.search(r"[*?[{]", folder) or (_IN_NAMES.search(folder) and _exists(folder)):
            return folder, "".join(parts[count:])
    return "", location


# Numbers in braces are a pattern, without asking for a file of this name.
_IN_NAMES = re.compile(r"[*?[]|\{(?![0-9]+\.\.[0-9]+\})")


def _exists(address: str) -> bool:
    if not is_remote(address):
        return os.path.lexists(address)
    fs, path = connect(address)
    fs.invalidate_cache()
    return persist(lambda: fs.exists(path), address)


def expand_braces(pattern: str) -> list[str]:
    """{000..012} and {a,b}, as a shell would expand them, but for braces within braces."""
    parts = re.split(r"\{([^{}]*)\}", pattern)
    choices = []
    for i, part in enumerate(parts):
        numbers = re.fullmatch(r"([0-9]+)\.\.([0-9]+)", part) if i % 2 else None
        if numbers:
            first, last = numbers.groups()
            width = len(first) if first.startswith("0") or len(first) == len(last) else 1
            choices.append([f"{n:0{width}}" for n in range(int(first), int(last) + 1)])
        elif i % 2 and "," in part:
            choices.append(part.split(","))
        else:
            choices.append([f"{{{part}}}" if i % 2 else part])
    return ["".join(chosen) for chosen in product(*choices)]
