"""Color a store that is slow and fails, with SIGKILL at random moments, and go on each time.

    python -m tests.places.kill_and_resume MODEL FOLDER PHOTOS KILLS

It forks the runs from one process that has imported everything, which is what takes long. Prints,
as JSON: runs killed, faults that were injected, photos lost, wrong, colored again although their
result was there, and rows of the merged report.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import fsspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem
from PIL import Image

from colorizer.cli import main as colorizer_main
from colorizer.inference.colorizer import Colorizer
from colorizer.places.table import merge
from colorizer.support import retries, stores
from colorizer.support.files import whole

FAULTS = 0.1  # of all requests
LATENCY = 0.01  # seconds, at most


class FaultyStore(LocalFileSystem):
    """A store on the disk whose requests take time and now and then fail, before or after."""

    protocol = "faulty"
    log: Path  # what was asked for, a line each

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(str(path).removeprefix("faulty://"))

    def cat_file(self, path, *args, **options):
        return self._ask("read", path, lambda: LocalFileSystem.cat_file(self, path))

    def pipe_file(self, path, value, **options):
        def write():  # whole or not at all, as S3 does
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            with whole(Path(path)) as work:
                work.write_bytes(value)

        return self._ask("write", path, write)

    def ls(self, path, detail=False, **options):
        return self._ask("list", path, lambda: LocalFileSystem.ls(self, path, detail))

    def _ask(self, what, path, action):
        with self.log.open("a") as file:
            file.write(f"{what} {path}\n")
        time.sleep(random.uniform(0, LATENCY))
        chance = random.random()
        if chance < FAULTS / 2:
            self._fail("no answer")
        answer = action()
        if chance > 1 - FAULTS / 2:
            self._fail("done, but cut off")
        return answer

    def _fail(self, told):
        with self.log.open("a") as file:
            file.write("fault\n")
        raise ConnectionError(told)


def main(model: str, folder: str, photos: str, kills: str) -> None:
    work, chance = Path(folder), random.Random(0)
    random.seed(0)
    make_photos(work / "in", int(photos))
    FaultyStore.log = work / "log"
    fsspec.register_implementation("faulty", FaultyStore, clobber=True)
    stores._ATOMIC.add("faulty")
    retries._PAUSE, retries._ATTEMPTS = (
        0.01,
        8,
    )  # at five, one photo in 100,000 would fail by chance
    command = ["colorize", f"faulty://{work}/in", "-o", f"faulty://{work}/out", "--model", model]
    command += ["--workers", "2", "--threads", "1"]
    start = time.monotonic()
    attempt(command, None)
    lasted = time.monotonic() - start
    shutil.rmtree(work / "out")
    FaultyStore.log.unlink()
    killed = again = faults = 0
    patience: float | None = 0
    while patience is not None:
        done = set(results(work / "out"))
        # Spread over the whole: each run gets a part of what one takes.
        patience = chance.uniform(0.2, 2.0) * lasted / int(kills) if killed < int(kills) else None
        finished = attempt(command, patience)
        asked = FaultyStore.log.read_text().splitlines() if FaultyStore.log.exists() else []
        again += sum(line.removeprefix(f"read {work}/in/") in done for line in asked)
        faults += asked.count("fault")
        FaultyStore.log.unlink(missing_ok=True)
        killed += not finished
        if finished and killed < int(kills):  # all is done, but not all kills: once more
            for path in (work / "out").glob("*.*"):
                path.unlink()
    own = Colorizer(model, threads=1)
    expected = {
        path.name: own.colorize_bytes(path.read_bytes(), path.suffix)[0]
        for path in (work / "in").iterdir()
    }
    found = results(work / "out")
    _, counts, _ = merge(str(work / "out"))
    told = {
        "killed": killed,
        "faults": faults,
        "lost": len(expected.keys() - found.keys()),
        "wrong": sum(expected.get(name) != data for name, data in found.items()),
        "again": again,
        "rows": dict(counts),
    }
    print(json.dumps(told))


def results(out: Path) -> dict[str, bytes]:
    """What has the name of a result."""
    names = [path for path in out.glob("*.*") if not path.name.startswith((".", "report"))]
    return {path.name: path.read_bytes() for path in names}


def attempt(command: list[str], patience: float | None) -> bool:
    """Whether the command came to its end, in a process that is killed after so many seconds."""
    random.seed(random.random())  # another chance for each run, the same each time
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        os._exit(colorizer_main(command))
    deadline = time.monotonic() + (600 if patience is None else patience)
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            if status:
                raise SystemExit(f"a run failed with {os.waitstatus_to_exitcode(status)}")
            return True
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def make_photos(folder: Path, count: int) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(count):
        array = rng.integers(0, 255, (40 + i % 30, 60), np.uint8)
        Image.fromarray(array).save(folder / f"{i:04d}.{('png', 'jpg', 'tif')[i % 3]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
