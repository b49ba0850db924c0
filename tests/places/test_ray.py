"""The Ray engine on a cluster of this machine: the local engine's bytes, whatever dies."""

import gc
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorizer.cli import main
from colorizer.errors import ColorizerError
from colorizer.inference.colorizer import Colorizer
from colorizer.places.on_ray import on_ray
from colorizer.places.plan import plan
from colorizer.places.table import merge
from colorizer.support.files import remove_stale
from colorizer.support.stores import Store, read
from tests.model_folder import write_model_folder
from tests.systems import needs_posix

# What Ray itself warns of, and leaves open when it is shut down, is none of our tests' concern.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def cluster(s3_server):
    """One on this machine, of two cores, for all tests here."""
    import ray

    from colorizer.places import on_ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")  # or they starve where others are at work
        plain = ray.init
        patch.setattr(ray, "init", lambda **o: plain(**o, num_cpus=2, object_store_memory=10**8))
        try:
            on_ray.connect(None)
        except (
            ColorizerError
        ):  # it waits 30 seconds for its processes, which a busy machine exceeds
            ray.shutdown()
            on_ray.connect(None)
    yield
    ray.shutdown()
    gc.collect()  # now, while warnings of what it leaves open are let pass


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(12):
        array = rng.integers(0, 255, (24, 20 + i), np.uint8)
        Image.fromarray(array).save(folder / f"{i:02d}.png")
    (folder / "bad.jpg").write_text("no photo")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.*") if path.is_file()}


@needs_posix("such signals")
def test_a_killed_worker_loses_nothing_and_does_nothing_twice(
    cluster, photos, colorizer, tmp_path, monkeypatch
):
    """Two workers, one of which is killed in the middle; a photo that kills each comes last."""
    model = str(colorizer._network.folder)
    assert main(["colorize", str(photos), "-o", str(tmp_path / "local"), "--model", model]) == 1
    out, gone = tmp_path / "ray", tmp_path / "pids"
    gone.mkdir()
    items = plan([str(photos)], out).todo
    pids = set()

    def kill():
        """The first worker that is seen, once it has done something."""
        while not (victims := list(gone.iterdir())) or len(files(out)) < 4:
            time.sleep(0.05)
        os.kill(int(victims[0].name), signal.SIGKILL)
        pids.add(int(victims[0].name))

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    rows = [
        row for found in on_ray(items, colorizer=Slow(colorizer, gone), workers=2) for row in found
    ]
    thread.join(10)
    remove_stale(out)  # as a run does at its end: the killed worker may have been writing
    assert len(pids) == 1
    assert len(list(gone.iterdir())) >= 2  # another worker took over
    assert sorted(row.path for row in rows) == sorted(path.name for path in photos.iterdir())
    failed = [row for row in rows if row.status == "failed"]
    assert [row.path for row in failed] == ["bad.jpg"]
    assert files(out) == {
        name: data for name, data in files(tmp_path / "local").items() if name != "report.csv"
    }


class Slow:
    """A colorizer that takes its time, and tells which processes it was in."""

    def __init__(self, colorizer, folder):
        self._colorizer, self._folder = colorizer, folder
        self.options, self.colorize_file = colorizer.options, self._colorize_file

    def __reduce__(self):
        return Slow, (self._colorizer, self._folder)

    def _colorize_file(self, picture, path):
        (self._folder / str(os.getpid())).touch()
        time.sleep(0.2)
        return self._colorizer.colorize_file(picture, path)


class Deadly(Slow):
    """One that the photo of a certain width kills, as one that takes all memory would."""

    def __reduce__(self):
        return Deadly, (self._colorizer, self._folder)

    def _colorize_file(self, picture, path):
        if picture.width == 23:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._colorizer.colorize_file(picture, path)


@pytest.mark.slow
@needs_posix("such signals")
def test_a_photo_that_kills_its_worker_fails_alone(cluster, photos, colorizer, tmp_path):
    out = tmp_path / "ray"
    items = [item for item in plan([str(photos)], out).todo if item.name != "bad.jpg"]
    found = on_ray(items, colorizer=Deadly(colorizer, tmp_path), workers=1)
    rows = [row for rows in found for row in rows]
    failed = [row for row in rows if row.status == "failed"]
    assert [row.path for row in failed] == ["03.png"]
    assert "the worker died each time that it was in work" in failed[0].reason
    assert len(rows) == 12
    assert len(files(tmp_path / "ray")) == 11


@pytest.mark.slow
def test_a_model_that_workers_do_not_find(cluster, photos, tmp_path):
    own = Colorizer(write_model_folder(tmp_path / "model"), threads=1)
    shutil.rmtree(tmp_path / "model")
    out = tmp_path / "out"
    with pytest.raises(ColorizerError, match=r"do not work: .*config\.yaml cannot be read"):
        list(on_ray(plan([str(photos)], out).todo, colorizer=own, workers=1))


@pytest.mark.slow
def test_from_the_command_line_over_s3(cluster, photos, colorizer, bucket, tmp_path, capsys):
    for name, data in files(photos).items():
        Store(f"{bucket}/in").write(name, data)
    Store(f"{bucket}/out").write("05.png", b"of the user")
    model = ["--model", str(colorizer._network.folder), "--engine", "ray", "--workers", "1"]
    assert main(["colorize", f"{bucket}/in", "-o", f"{bucket}/out", *model]) == 1
    told = capsys.readouterr()
    assert "11 colored, 0 done before, 2 failed" in told.out
    assert f"failed: {bucket}/in/bad.jpg is no picture of a known format" in told.err
    assert f"{bucket}/out/05.png is there already and bears no mark" in told.err
    assert read(f"{bucket}/out/05.png") == b"of the user"
    assert main(["colorize", f"{bucket}/in", "-o", f"{bucket}/out", *model, "--overwrite"]) == 1
    assert "1 colored, 11 done before, 1 failed" in capsys.readouterr().out
    assert merge(f"{bucket}/out")[1] == {"colored": 12, "failed": 1}
