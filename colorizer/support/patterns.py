"""Addresses that stand for several: braces, as a shell expands them, and wildcards."""

import re
from itertools import product

from colorizer.support.retries import persist
from colorizer.support.stores import connect, is_remote

__all__ = ["expand", "expand_braces"]


def expand(location: str) -> list[str]:
    """The addresses that a pattern stands for: {000..999}, {a,b}, and * ? [ ] where it has them.

    Raises:
        ColorizerError: the store cannot be listed.
    """
    found = []
    for url in expand_braces(location):
        if not any(sign in url for sign in "*?["):
            found.append(url)
            continue
        fs, path = connect(url)
        fs.invalidate_cache()
        paths = sorted(persist(lambda fs=fs, path=path: fs.glob(path), url))
        found += [fs.unstrip_protocol(p) if is_remote(url) else p for p in paths]
    return found


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
