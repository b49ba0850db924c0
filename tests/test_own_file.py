"""The file that docs/extending.md leads with: all that a method needs, by the stock commands."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import colorizer.training  # noqa: F401 - first, so that its own names are there to stay
from colorizer import registry
from colorizer.cli import main
from tests.drawn import landscape
from tests.trainings import rows

TEXT = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
(OWN,) = re.findall(r"^`mymethod\.py`\n\n```python\n(.*?)^```", TEXT, re.M | re.S)
NAMED = ["--plugins", "[mymethod]"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with the file, and registries that forget what it registers."""
    (tmp_path / "mymethod.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    tables = [table for table in vars(registry).values() if isinstance(table, registry.Registry)]
    for table in tables:
        monkeypatch.setattr(table, "_constructors", dict(table._constructors))
    yield tmp_path
    sys.modules.pop("mymethod", None)


def words(**more: str) -> list[str]:
    settings = {
        "data.train": "{name: noise, count: 60}",
        "model": "{name: mynet, head: {name: soft, most: 90}}",
        "loss": "{absolute: 1.0}",
        "metrics": "[psnr, chroma]",
        "trainer.loggers": "[lines]",
        "trainer.name": "mine",
        "trainer.best": "null",  # one export is enough
        "data.size": "32",
        "data.crop": "32",
        "data.batch_size": "4",
        "trainer.accelerator": "cpu",
        "trainer.epochs": "3",
        "trainer.grid": "2",
        **more,
    }
    pairs = [(f"--{name}", value) for name, value in settings.items()]
    return ["train", *NAMED, *(word for pair in pairs for word in pair)]


def kill_within(command: list[str], sign: Path) -> None:
    """Start the command and kill it once a file of this pattern is there."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "colorizer.cli", *command], env=environment, text=True
    )
    end = time.monotonic() + 300
    while not any(sign.parent.glob(sign.name)):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_killed_resumed_averaged_exported_colored_with_and_evaluated(place, capsys):
    run = place / "runs" / "mine"
    # Long enough that nothing ends before the kill; then as long as it takes.
    longer = {"trainer.epochs": "2000", "trainer.checkpoint_minutes": "0.0001"}
    kill_within(words(**longer), run / "checkpoints" / "*.ckpt")
    assert not (run / "model").exists()
    done = len(rows(run)) if (run / "metrics.csv").exists() else 0
    last = ["--trainer.epochs", str(done + 2), "--trainer.checkpoint_minutes", "10"]
    assert main(["train", "--resume", str(run), *last]) == 0
    assert "going on from step-" in capsys.readouterr().out
    assert {"val/psnr", "val/chroma"} <= rows(run)[-1].keys()
    assert "val/loss" in (run / "lines.txt").read_text()
    assert (run / "holdout.txt").read_text().startswith("item ")
    assert main(["train", "--resume", str(run), "--data.crop", "64"]) == 2
    assert "data.crop: " in capsys.readouterr().err

    # Another process, in which nobody has named the code: it is not imported by the folder.
    del sys.modules["mymethod"]
    for table in (registry.MODELS, registry.HEADS, registry.LOSSES, registry.METRICS):
        for name in ("mynet", "soft", "absolute", "chroma"):
            table._constructors.pop(name, None)
    average = ["average", str(run), str(run / "model"), "-o", "mean"]
    assert main(average) == 2
    assert "name it by --plugins '[mymethod]'" in capsys.readouterr().err
    assert main([*average, *NAMED]) == 0
    assert main(["export", "mean", "mine.onnx", *NAMED]) == 0
    for folder, factor in (("photos", 1), ("pngs", 0.8)):
        Path(folder).mkdir()
        for i in range(3):
            picture = (landscape(i, 40, 50) * factor).astype(np.uint8)
            Image.fromarray(picture).save(f"{folder}/{i}.png")
    assert main(["colorize", "photos/0.png", "-o", "colored.png", "--model", "mean"]) == 0
    with Image.open("colored.png") as colored:
        assert colored.size == (50, 40)
    asked = ["evaluate", "--model", "mine=mean", "--results", "theirs=pngs", "--data", "photos"]
    capsys.readouterr()
    assert main([*asked, "--metrics", "[psnr, chroma]", "--device", "cpu", *NAMED]) == 0
    table = capsys.readouterr().out
    assert re.search(r"^\| \| PSNR .*\| Chroma \(Lab\)", table, re.M)
    assert all(re.search(rf"^\| {name} \| \d", table, re.M) for name in ("mine", "theirs"))
