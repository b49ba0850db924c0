"""Train with SIGKILL at random moments, and go on each time; a program for test_resume.py.

    python -m tests.kill_and_resume PHOTOS OUT CASE KILLS

It forks the trainings from one process that has imported everything, which is what takes long.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from functools import partial
from pathlib import Path

import colorizer.training.finish as finish
import colorizer.training.run as run
from colorizer import Settings
from tests.trainings import save

CASES = {
    "distribution": {
        "loss": {"distribution": 1.0},
        "data": {"degrade": {"probability": 1.0}, "grow": {0.5: 48}},
    },
    "adversarial": {"loss": {"huber": 1.0, "adversarial": 0.1}, "trainer": {"nonfinite": "skip"}},
    "accumulate": {"loss": {"huber": 1.0}, "trainer": {"accumulate": 2, "ema": 0.0}},
    "streaming": {"loss": {"huber": 1.0}, "data": {"mode": "streaming", "workers": 2}},
}


def settings(photos: str, out: str, case: str) -> Settings:
    made = Settings(model={"name": "colornet", "encoder": "test_resnet", "pretrained": False})
    made.model["head"] = "distribution" if case == "distribution" else "ab"
    made.data.train, made.data.size, made.data.crop = photos, 40, 32
    made.data.batch_size = 3
    made.trainer.output, made.trainer.epochs, made.trainer.accelerator = out, 3, "cpu"
    made.trainer.checkpoint_minutes = 1e-9  # after every batch
    made.loss = CASES[case]["loss"]
    for group in ("data", "trainer"):
        for name, value in CASES[case].get(group, {}).items():
            setattr(getattr(made, group), name, value)
    return made


def attempt(work, patience: float | None) -> bool:
    """Whether `work` came to its end in a process that is killed after so many seconds."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    deadline = time.monotonic() + (patience if patience is not None else 600)
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            if status:
                raise SystemExit(f"a training failed with {os.waitstatus_to_exitcode(status)}")
            return True
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def main(photos: str, out: str, case: str, kills: str) -> None:
    finish.export, run.check_exportable = save, lambda model: None
    chance = random.Random(case)
    start = time.monotonic()
    attempt(partial(run.train, settings(photos, f"{out}/whole", case)), None)
    lasted = time.monotonic() - start
    killed = []
    for kill in range(int(kills) + 1):
        found = sorted(Path(f"{out}/killed").glob("*/settings.yaml"))
        work = partial(run.train, settings(photos, f"{out}/killed", case))
        if found:
            work = partial(run.train, Settings(), found[0].parent)
        patience = chance.uniform(0.1, 0.9) * lasted if kill < int(kills) else None
        if attempt(work, patience):
            break
        killed.append(sorted(path.name for path in Path(out).glob("killed/*/checkpoints/*")))
    print(json.dumps(killed))


if __name__ == "__main__":
    main(*sys.argv[1:])
