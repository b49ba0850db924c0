"""Mutated manifests: each row becomes a photo or a sentence, and nothing else is touched."""

import os
import shutil
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorizer.errors import ColorizerError
from colorizer.places import work
from colorizer.places.plan import plan
from tests.drawn import landscape
from tests.mutated import mutate
from tests.places.runs import run

ROWS = ["a.png", "deep/b.jpg", "c d.png", "lacking.png", "ä.png", "e,f.png", 'g"h.png']
ODD = [""]
ODD += [" ", "\t", ".", "..", "-", "/", "deep", "deep/", "./a.png", "deep/../a.png", "*.png", "~"]
ODD += ["//a.png", "deep//b.jpg", "../secret.png", "\x00", "a\x00.png", "a.png\t", " a.png"]
ODD += ["x" * 300, "y" * 200_000 + ".png", "a.png\x0cb.png", "l\u2028m.png", "\ufeffa.png"]
ODD += ["\u202egnp.a", "A.PNG", "notes.txt", "a.png.", "/dev/null", "/proc/self/mem"]
ODD += ["file:///a.png", "nope://a/b.png", "CON", "a.tar", "a.png#1", "a.png?x=1", "%61.png"]
ODD += ["a\\b.png", "'a.png'", '"a.png', "deep/b.jpg/c.png"]
SLOW = 10  # seconds that no manifest of this size may take


@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_mutated_manifests_are_worked_through_or_refused(
    colorizer, tmp_path, count, monkeypatch, capsys
):
    base = tmp_path / "in"
    (base / "deep").mkdir(parents=True)
    for i, name in enumerate(ROWS):
        if name != "lacking.png":
            Image.fromarray(landscape(i, 16, 20)).save(base / name)
    (base / "notes.txt").write_text("no picture")
    (tmp_path / "secret.png").write_bytes((base / "a.png").read_bytes())
    inside = []
    reason = work._reason

    def told(error: Exception, source: str) -> str:
        if not isinstance(error, ColorizerError):
            inside.append(f"{type(error).__name__}: {error} of {source[:80]!r}")
        return reason(error, source)

    monkeypatch.setattr(work, "_reason", told)
    before, wrong, colored = files(tmp_path), [], 0
    for number in range(count):
        rng = np.random.default_rng([1, number])
        manifest = tmp_path / f"list.{rng.choice(['txt', 'csv'])}"
        manifest.write_bytes(data := written(manifest.suffix, str(base), rng))
        out = tmp_path / "out"
        start = time.monotonic()
        try:
            found = plan([str(base)], out, manifest=str(manifest), collection=True)
            result = run(found, colorizer)
            what = problems(found, result, out)
            colored += len(result.done)
        except ColorizerError as error:
            short = len(str(error)) <= 600 and "\n" not in str(error)
            what = [] if short and manifest.name in str(error) else [str(error)[:300]]
        except Exception as error:
            what = [f"{type(error).__name__}: {error}"]
        if time.monotonic() - start > SLOW:
            what.append("took too long")
        manifest.unlink()
        shutil.rmtree(out, ignore_errors=True)
        if files(tmp_path) != before:
            what.append(f"touched {set(files(tmp_path)) ^ set(before)}")
        wrong += [f"{number}: {one} of {data[:300]!r}" for one in [*what, *inside]]
        inside.clear()
    capsys.readouterr()
    assert not wrong, "\n".join(wrong[:60])
    assert colored > count // 4  # how many depends on the length of the folder's name


def problems(found, result, out: Path) -> list[str]:
    """What is wrong with a run, by what lies in its output."""
    wrong = [f"a reason of several lines: {why!r}" for _, why in result.failed if "\n" in why]
    wrong += [
        f"a reason of {len(why)}: {why[:80]!r}" for _, why in result.failed if len(why) > 2000
    ]
    targets = Counter(item.target for item in found.todo if not item.problem)
    wrong += [f"{one} is made {n} times" for one, n in targets.items() if n > 1]
    made = {str(path) for path in out.rglob("*") if path.is_file()} - {str(out / "report.csv")}
    if len(made) != len(result.done):
        wrong.append(f"{len(result.done)} are told, and {len(made)} are there")
    if len(result.done) + len(result.failed) != len(found.todo):
        wrong.append(f"{len(found.todo)} to do, but {result}")
    sizes = {size_of(path) for path in made}
    return wrong + [f"sizes are {sizes}"] * (not sizes <= {(20, 16)})


def files(folder: Path) -> dict[str, float]:
    return {str(path): os.lstat(path).st_mtime_ns for path in folder.rglob("*")}


def written(suffix: str, base: str, rng: np.random.Generator) -> bytes:
    """A manifest of good rows and odd ones, with separators and encodings as they come."""
    rows = [*rng.choice(ROWS, rng.integers(0, 6)), *rng.choice(ODD, rng.integers(0, 3))]
    rows = [str(rows[i]) for i in rng.permutation(len(rows))]
    rows = [f"{base}/{row}" if rng.random() < 0.2 else row for row in rows]
    end = str(rng.choice(["\n", "\r\n", "\r", "\n\n"], p=[0.7, 0.2, 0.05, 0.05]))
    if suffix == ".csv":
        between = str(rng.choice([",", ";", "\t"], p=[0.8, 0.1, 0.1]))
        head = str(rng.choice(["path", "path,name", "name,path", "Path", "photo", "path,path"]))
        quoted = [_quoted(row) if rng.random() < 0.8 else row for row in rows]
        named = [_quoted(str(rng.choice([*ODD, *ROWS, ""]))) for _ in rows]
        if "name" in head:
            pairs = zip(quoted, named, strict=True)
            quoted = [",".join(p if head[0] == "p" else p[::-1]) for p in pairs]
        rows = [line.replace(",", between) for line in (head, *quoted)]
    text = end.join(rows) + (end if rng.random() < 0.5 else "")
    kind = rng.random()
    if kind < 0.1:
        encoding = str(rng.choice(["utf-16", "latin-1", "utf-8-sig", "shift-jis"]))
        return text.encode(encoding, "replace")
    return mutate(text.encode(), rng) if kind < 0.35 else text.encode()


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def size_of(path: str) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size
