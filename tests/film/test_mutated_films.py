"""Mutated films, in a process of their own: a sentence, or a film of as many frames as were told.

python -m tests.film.test_mutated_films MODEL FOLDER SEED COUNT
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")
pytest.importorskip("cv2")

from colorizer.errors import ColorizerError  # noqa: E402
from colorizer.film.colorize import colorize_film  # noqa: E402
from tests.film.films import pan, write_film  # noqa: E402
from tests.model_folder import write_model_folder  # noqa: E402
from tests.mutated import mutate  # noqa: E402

ROOT = Path(__file__).parents[2]
CODECS = {".mkv": "ffv1", ".mp4": "libx264", ".ts": "mpeg2video", ".avi": "mpeg4"}
SLOW = 60  # seconds that no film of this size may take


@pytest.mark.parametrize("count", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_mutated_films_give_an_error_or_the_frames_that_are_told(tmp_path, count):
    model = write_model_folder(tmp_path / "tiny", "distribution", size=64)
    (tmp_path / "work").mkdir()
    run = subprocess.run(
        [sys.executable, "-m", __name__, model, tmp_path / "work", "3", str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300 + 4 * SLOW * count,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    told = json.loads(run.stdout.splitlines()[-1])
    assert not told["wrong"], "\n".join(told["wrong"])
    assert told["films"] == count * len(CODECS)


def check(film: Path, out: Path, model: str) -> str:
    """Color one film: "" if it was colored, "error" if it was refused, else what is wrong."""
    start = time.monotonic()
    try:
        result = colorize_film(film, out, model, threads=1)
    except ColorizerError as error:
        whole = "\n" not in str(error) and len(str(error)) < 600 and not out.exists()
        return "error" if whole else f"left a film behind, or many words: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if time.monotonic() - start > SLOW:
        return "took too long"
    made, read = frames_of(out), frames_of(film)
    if made != result.frames:
        return f"has {made} frames, and {result.frames} were told"
    if read != made and not result.damage and not result.notes:
        return f"has {made} of {read} frames, and nothing was told of it"
    return ""


def frames_of(path: Path) -> int | None:
    """How many frames PyAV reads; None where it stops in between."""
    try:
        with av.open(path, metadata_errors="replace") as container:
            return sum(1 for _ in container.decode(video=0))
    except (av.FFmpegError, IndexError, ValueError):
        return None


def swapped(data: bytes, rng: np.random.Generator) -> bytes:
    """Two pieces of a file in each other's place."""
    a, b, c = sorted(rng.integers(0, len(data), 3).tolist())
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def main(model: str, folder: str, seed: str, count: str) -> None:
    told = {"films": 0, "errors": 0, "wrong": []}
    for kind, (suffix, codec) in enumerate(CODECS.items()):
        whole = write_film(Path(folder, f"whole{suffix}"), pan(8), codec=codec).read_bytes()
        film, out = Path(folder, f"in{suffix}"), Path(folder, f"out{suffix}")
        for number in range(int(count)):
            rng = np.random.default_rng([int(seed), kind, number])
            film.write_bytes(mutate(whole, rng) if rng.random() < 0.8 else swapped(whole, rng))
            found = check(film, out, model)
            told["films"] += 1
            told["errors"] += found == "error"
            if found not in ("", "error"):
                told["wrong"].append(f"{suffix} {number}: {found}")
            out.unlink(missing_ok=True)
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
