import csv
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from colorizer.support.stores import Store
from tests.drawn import landscape

torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("squares")
    for i in range(12):
        Image.fromarray(landscape(i, 32, 32)).save(folder / f"{i:02d}.png")
    return folder


@pytest.fixture(scope="module")
def one(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process learns."""
    folder = tmp_path_factory.mktemp("one")
    finish(sys.executable, "-m", "tests.in_processes", squares, folder, "1", "12")
    return folder


def finish(*command: str | Path) -> str:
    result = subprocess.run(
        [*map(str, command)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": "."},
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def losses(parent: Path) -> list[dict[str, float]]:
    (table,) = parent.glob("*/metrics.csv")  # one run, however many processes
    with table.open(newline="") as file:
        return [{k: float(v) for k, v in r.items() if k != "seconds"} for r in csv.DictReader(file)]


@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param([sys.executable], marks=pytest.mark.slow, id="lightning"),
        pytest.param(torchrun, id="torchrun"),
    ],
)
def test_two_processes_learn_what_one_learns(
    launcher: list[str], squares: Path, one: Path, tmp_path: Path
) -> None:
    two = tmp_path / "two"
    finish(*launcher, "-m", "tests.in_processes", squares, two, "2", "6")
    for a, b in zip(losses(one), losses(two), strict=True):
        assert a == pytest.approx(b, rel=1e-3)
    (first,), (second,) = (folder.glob("*/model/w.safetensors") for folder in (one, two))
    assert same(first, second)


@pytest.mark.slow
def test_the_validation_loss_of_two_processes_is_that_of_all_photos(
    squares: Path, tmp_path: Path
) -> None:
    """Of an odd number: half a photo was dropped from the count, and the loss was too high."""
    few = tmp_path / "few"
    few.mkdir()
    for i in range(5):
        Image.fromarray(landscape(90 + i, 32, 32)).save(few / f"{i}.png")
    one, two = tmp_path / "one", tmp_path / "two"
    finish(sys.executable, "-m", "tests.in_processes", squares, one, "1", "12", few)
    finish(*torchrun, "-m", "tests.in_processes", squares, two, "2", "6", few)
    for a, b in zip(losses(one), losses(two), strict=True):
        assert a["val/loss"] == pytest.approx(b["val/loss"], rel=1e-3)


def same(first: Path, second: Path) -> bool:
    a, b = load_file(first), load_file(second)
    return all(torch.allclose(a[name], b[name], rtol=1e-2, atol=1e-3) for name in a)


@pytest.mark.slow
def test_two_processes_with_shards_of_their_own_learn_what_one_learns(
    squares: Path, one: Path, tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    photos = sorted(squares.iterdir())
    for number in range(2):
        with tarfile.open(tmp_path / f"{number}.tar", "w") as shard:
            for photo in photos[6 * number : 6 * number + 6]:
                shard.add(photo, photo.name)
        Store(bucket).write(f"{number}.tar", (tmp_path / f"{number}.tar").read_bytes())
    two = tmp_path / "two"
    said = finish(*torchrun, "-m", "tests.in_processes", bucket, two, "2", "6")
    assert "1 of 2 train shards are this process's own" in said
    for a, b in zip(losses(one), losses(two), strict=True):
        # Which photos calibrated_nll is fitted on, and which it is told of, their order says.
        assert {k: v for k, v in a.items() if "calibrated" not in k} == pytest.approx(
            {k: v for k, v in b.items() if "calibrated" not in k}, rel=1e-3
        )
    (first,), (second,) = (folder.glob("*/model/w.safetensors") for folder in (one, two))
    assert same(first, second)


@pytest.mark.slow
def test_the_command_line_trains_in_two_processes(squares: Path, tmp_path: Path) -> None:
    settings = {
        "model": {"name": "colornet", "encoder": "test_resnet", "pretrained": False, "head": "ab"},
        "loss": {"huber": 1.0, "adversarial": 0.1},
        "data": {"train": str(squares), "size": 32, "crop": 32, "batch_size": 3, "holdout": 0.2},
        "trainer": {"epochs": 1, "output": str(tmp_path), "accelerator": "cpu", "devices": 2},
    }
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(settings))
    said = finish(sys.executable, "-m", "colorizer.cli", "train", "--config", config)
    assert said.count("run folder") == 1
    assert "a step takes 6 photos (3 at a time x 2 devices x 1 accumulated)" in said
    (model,) = tmp_path.glob("*/model/model.onnx")
    assert model.stat().st_size > 0
