"""The scripts behind docs/benchmarks.md still run: nothing else would call them for months."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"

pytestmark = pytest.mark.slow


def run(script: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("script", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_every_script_says_how_it_is_called(script: Path) -> None:
    assert "usage:" in run(script, "--help")


def test_every_loss_takes_its_steps(photos: Path) -> None:
    table = run(
        FOLDER / "zoo.py",
        *("--data", str(photos), "--steps", "2", "--crop", "32", "--vgg16", "random"),
        *("--models", "constantnet", "--heads", "ab"),
    )
    for name in ("constantnet", "adversarial", "contrastive", "distillation", "perceptual"):
        assert f" {name} |" in table or f"`{name}`" in table
    assert "failed" not in table
