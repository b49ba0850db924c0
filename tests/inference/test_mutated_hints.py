"""Mutated files of hints: what the format says of them is what they do, or one sentence is."""

import json
import re
import time
from typing import Any

import numpy as np
import pytest

from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.hints import read_hints
from tests.drawn import landscape
from tests.model_folder import write_model_folder
from tests.mutated import mutated_json

NAMES = ("version", "hints", "at", "stroke", "color", "region", "keep", "page", "reach", "width")
HINTS = {
    "version": 1,
    "hints": [
        {"at": [0.42, 0.31], "color": "#8a2f2b"},
        {"stroke": [[0.1, 0.9], [0.3, 0.85], [0.5, 0.9]], "color": "#6b6b6b"},
        {"region": [[0.7, 0.1], [0.95, 0.1], [0.95, 0.4]], "keep": "gray"},
        {"at": [0.5, 0.5], "color": "#35608a", "page": 1},
        {"at": [0.6, 0.5], "color": "#7a5230", "reach": 0.15, "width": 0.05},
    ],
}
SLOW = 10  # seconds that no file of this size may take


@pytest.mark.parametrize("count", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_mutated_hints_are_used_or_refused(tmp_path, count):
    colorizer = Colorizer(write_model_folder(tmp_path / "tiny", "distribution"), threads=1)
    photo = landscape(0, 30, 40)
    path = tmp_path / "hints.json"
    wrong, used = [], 0
    for number in range(count):
        rng = np.random.default_rng([0, number])
        data = mutated_json(HINTS, rng, NAMES)
        path.write_bytes(data)
        start, fits = time.monotonic(), is_valid(data)
        try:
            found = read_hints(path)
            assert fits, f"taken: {data[:400]!r}"
            assert len(found.points) + len(found.regions) == _count(data)
            if found and found.last_page == 1:
                colored = colorizer.with_options(hints=path).colorize(photo)
                assert colored.shape == (*photo.shape[:2], 3)
            used += 1
        except ColorizerError as error:
            told = str(error)
            if fits or "\n" in told or len(told) > 600 or path.name not in told:
                wrong.append(f"{number}: {told[:200]!r} of {data[:300]!r}")
        except Exception as error:
            wrong.append(f"{number}: {type(error).__name__}: {error} of {data[:300]!r}")
        if time.monotonic() - start > SLOW:
            wrong.append(f"{number}: took too long")
    assert not wrong, "\n".join(wrong[:40])
    assert 0.02 * count < used < 0.6 * count


def is_valid(data: bytes) -> bool:
    """Whether docs/hints.md allows it, said in other words than those of the reader."""
    try:
        found = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return False
    if isinstance(found, list):
        found = {"version": 1, "hints": found}
    return (
        isinstance(found, dict)
        and set(found) == {"version", "hints"}
        and type(found["version"]) in (int, float)
        and found["version"] == 1
        and isinstance(found["hints"], list)
        and all(map(_is_hint, found["hints"]))
    )


def _count(data: bytes) -> int:
    found = json.loads(data.decode("utf-8-sig"))
    return len(found["hints"] if isinstance(found, dict) else found)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def _is_hint(one: Any) -> bool:
    if not isinstance(one, dict) or type(one.get("page", 1)) is not int or one.get("page", 1) < 1:
        return False
    names = set(one) - {"page"}
    if names in ({"region"}, {"region", "keep"}):
        keep = one.get("keep", "predicted")
        return _are_places(one["region"], 3) and keep in ("gray", "predicted", "apart")
    for name, most in (("reach", 10), ("width", 1)):
        share = one.get(name)
        if share is not None and (type(share) not in (int, float) or not 0 < share <= most):
            return False
    names -= {"reach", "width"}
    color = one.get("color")
    if not isinstance(color, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        return False
    if names == {"at", "color"}:
        return _are_places([one["at"]], 1)
    return names == {"stroke", "color"} and _are_places(one["stroke"], 1)


def _are_places(found: Any, least: int) -> bool:
    return (
        isinstance(found, list)
        and len(found) >= least
        and all(isinstance(place, list) and len(place) == 2 for place in found)
        and all(type(x) in (int, float) and 0 <= x <= 1 for place in found for x in place)
    )


def test_films_take_no_hints_that_are_wrong(tmp_path):
    pytest.importorskip("cv2")
    from colorizer.film.tracking import read_film_hints

    for time_of in (float("nan"), float("inf"), 10**400, -1, True, "1", None):
        with pytest.raises(UsageError, match="hint 1: time"):
            read_film_hints([{"at": [0.5, 0.5], "color": "#8a2f2b", "time": time_of}])
