"""Inputs changed at random, by a seed: bytes, and what JSON can say."""

import copy
import json
from typing import Any

import numpy as np

ENCODINGS = ("utf-16", "utf-32", "utf-8-sig", "latin-1", "cp037")


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a file in one to six places, mostly near its start, where the headers are."""
    found = bytearray(data)
    for _ in range(rng.integers(1, 7)):
        reach = len(found) if rng.random() < 0.4 else min(len(found), 200)
        at = int(rng.integers(0, max(reach, 1)))
        if rng.random() < 0.2:  # at the end, where TIFF files have their tags
            at = max(0, len(found) - 1 - at)
        length = int(rng.integers(1, 9))
        kind = rng.integers(0, 7)
        if kind <= 1:
            found[at : at + length] = rng.bytes(length)
        elif kind == 2 and found:
            found[min(at, len(found) - 1)] ^= 1 << int(rng.integers(0, 8))
        elif kind == 3:
            found[at : at + length] = rng.choice([b"\xff", b"\0", b"\x7f"]) * length
        elif kind == 4:
            del found[at : at + length]
        elif kind == 5:
            found[at:at] = found[at : at + 8 * length]
        elif rng.random() < 0.3:
            del found[at + int(rng.integers(0, 1000)) :]
    return bytes(found)


def nested(depth: int, key: str = "") -> Any:
    """Lists in lists, or mappings in mappings, so deep."""
    found: Any = []
    for _ in range(depth):
        found = {key: found} if key else [found]
    return found


def odd_value(rng: np.random.Generator) -> Any:
    """What a program may write by mistake, and an attacker on purpose."""
    number = float(rng.choice([-1, -1e-9, -0.0, 0.5, 1, 1.0000001, 2, 1e308, np.inf, np.nan]))
    odd = [None, True, False, number, int(rng.integers(-9, 10**6)), 10**400, -(10**30), str(number)]
    odd += ["", "\0", "\ud800", "é\u202e\n", "x" * 5000, "../../etc/passwd", "#12", "#8a2f2b\n"]
    odd += [[], {}, [[]], [None], {"": {}}, [number, number], [[number, 0.5], [0.5, 0.5]]]
    odd += [nested(int(rng.integers(2, 150))), nested(int(rng.integers(2, 90)), "hints")]
    return odd[rng.integers(0, len(odd))]


def changed(value: Any, rng: np.random.Generator, names: tuple[str, ...] = ()) -> Any:
    """A copy of what JSON can say, with one to three places changed.

    Args:
        names: that a key may become, beside misspelled ones.
    """
    found = copy.deepcopy(value)
    for _ in range(rng.integers(1, 4)):
        places = _places(found)
        if not places:
            return odd_value(rng)
        within, key = places[rng.integers(0, len(places))]
        kind = rng.integers(0, 8)
        if kind <= 3:
            within[key] = odd_value(rng)
        elif kind == 4:
            del within[key]
        elif kind == 5:
            within[key] = [within[key]] * int(rng.integers(0, 4))
        elif kind == 6 and isinstance(within, dict):
            name = str(rng.choice([*names, f"{key}s", key.upper(), key[1:]]))
            within[name] = within[key]
        elif kind == 6:
            within.insert(key, copy.deepcopy(within[key]))
        else:
            other, its = places[rng.integers(0, len(places))]
            within[key] = copy.deepcopy(other[its]) if _has(other, its) else None
    return found


def mutated_json(value: Any, rng: np.random.Generator, names: tuple[str, ...] = ()) -> bytes:
    """JSON of a value that is changed, of a text that is, or both."""
    kind = rng.random()
    text = json.dumps(changed(value, rng, names) if kind < 0.7 else value)
    if kind > 0.9:
        return mutate(text.encode(), rng)
    if kind > 0.85:
        return text.encode(str(rng.choice(ENCODINGS)))
    if kind > 0.8:  # a name twice
        at = [i for i, one in enumerate(text) if one == "{"]
        keys = [*names, "x"]
        twice = f'"{keys[rng.integers(0, len(keys))]}": {json.dumps(odd_value(rng))}, '
        i = at[rng.integers(0, len(at))] + 1 if at else 0
        return (text[:i] + twice + text[i:]).encode()
    if kind > 0.78:
        depth = int(10 ** rng.uniform(0, 5))
        deep = "[" * depth + "]" * depth if rng.random() < 0.5 else '{"a":' * depth
        return text.replace("1", deep, 1).encode()
    return text.encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Everything in lists and mappings: what holds it, and its key there; not what is deep."""
    found, waiting = [], [(value, 0)]
    while waiting:
        one, depth = waiting.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one)) if _is_list(one) else ()
        for key in keys:
            found.append((one, key))
            if depth < 8:
                waiting.append((one[key], depth + 1))
    return found


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _has(within: Any, key: Any) -> bool:
    return key in within if isinstance(within, dict) else key < len(within)
