"""Nothing leaves the machine: no name is looked up, and no library writes of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from colorizer.support.offline import SWITCHES
from tests.drawn import landscape
from tests.systems import needs_posix

TRAIN = (
    *("--data.size", "32", "--data.crop", "32", "--data.batch_size", "4"),
    *("--trainer.epochs", "1", "--trainer.output", "runs", "--trainer.accelerator", "cpu"),
    *("--model.name", "colornet", "--model.encoder", "test_resnet", "--model.pretrained", "false"),
)
VERBS = {
    "colorize": ["colorize", "photos/0.png", "-o", "o.png"],
    "serve": ["serve", "--no-browser"],
    "video": ["video", "photos", "film.mkv", "--preview"],
    "train": ["train", "--data.train", "photos", *TRAIN],
    "evaluate": ["evaluate", "--model", "colornet18", "--data", "photos", "--report", "report"],
}
OURS = ("colorizer/", "matplotlib/", "fontconfig/", "torch/", ".triton/", "torchinductor")
"""What may lie in a home after a run: caches without a word to anyone."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offline")
    (folder / "photos").mkdir()
    for i in range(6):
        Image.fromarray(landscape(i, 64, 80)).save(folder / "photos" / f"{i}.png")
    return folder


SLOW = {"train", "evaluate"}


@needs_posix("such signals")
@pytest.mark.parametrize(
    "verb", [pytest.param(v, marks=[pytest.mark.slow] if v in SLOW else []) for v in VERBS]
)
def test_no_name_is_looked_up_and_no_device_id_is_written(verb, place, tmp_path):
    """Switches that a user's environment has not set are what is tested: all are unset here."""
    kept = {k: v for k, v in os.environ.items() if k not in SWITCHES and "proxy" not in k.lower()}
    environment = kept | {"HOME": str(tmp_path), "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""}
    command = [sys.executable, "-m", "colorizer.cli", *VERBS[verb]]
    log = tmp_path / "calls.log"
    if shutil.which("strace"):
        calls = "trace=connect,sendto,sendmsg,sendmmsg"
        command = ["strace", "-f", "--seccomp-bpf", "-e", calls, "-o", str(log), *command]
    process = subprocess.Popen(
        command,
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    if verb == "serve":
        assert process.stdout is not None
        assert any("http://" in line for line in process.stdout)
        time.sleep(3)  # for what a library would do in the background
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    else:
        said = process.communicate(timeout=240)[0]
        assert process.returncode == 0, said
    files = [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()]
    strange = [f for f in files if f != log.name and not any(ours in f for ours in OURS)]
    assert not strange
    if log.exists():
        network = [
            line for line in log.read_text(errors="replace").splitlines() if "AF_INET" in line
        ]
        assert not [line for line in network if not re.search(r'"(127\.0\.0\.1|::1)"', line)]
        assert not [line for line in network if "htons(53)" in line]
