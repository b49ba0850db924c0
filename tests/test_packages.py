"""The wheel and the source archive install into an empty environment, and color a photo there."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

import colorizer

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def finish(*command: object, folder: Path) -> str:
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [*map(str, command)], cwd=folder, env=clean, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("dist")
    finish(sys.executable, "-m", "build", "--outdir", out, ROOT, folder=out)
    (wheel,), (archive,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return {"wheel": wheel, "archive": archive}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    finish(sys.executable, "-m", "venv", folder, folder=folder)
    return folder


@pytest.mark.parametrize("kind", ["wheel", "archive"])
def test_a_package_colors_a_photo_in_an_empty_environment(
    kind: str, packages: dict[str, Path], environment: Path, tmp_path: Path
) -> None:
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    pip = (scripts / "python", "-m", "pip", "install", "--force-reinstall")
    others = ["--no-deps"] if kind == "archive" else []  # they are there
    finish(*pip, *others, packages[kind], folder=tmp_path)
    said = finish(scripts / "colorizer", "--version", folder=tmp_path)
    assert said.strip() == f"colorizer {colorizer.__version__}"
    photo = ROOT / "samples" / "astronaut.jpg"
    finish(scripts / "colorizer", "colorize", photo, "-o", tmp_path / "out.jpg", folder=tmp_path)
    with Image.open(tmp_path / "out.jpg") as colored, Image.open(photo) as original:
        assert colored.size == original.size
        assert colored.mode == "RGB"


def test_the_packages_hold_what_they_need_and_no_more(packages: dict[str, Path]) -> None:
    with zipfile.ZipFile(packages["wheel"]) as wheel:
        names = set(wheel.namelist())
    assert {"colorizer/py.typed", "colorizer/evaluation/report/page.html"} <= names
    assert any(name.endswith("weights.safetensors") for name in names)
    assert not any(name.startswith(("tests/", "benchmarks/", "docs/")) for name in names)
    with tarfile.open(packages["archive"]) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"} <= inside
    assert not any(name.startswith(("runs/", ".venv/", "data/")) for name in inside)
