import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two threads on two busy cores crawl

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from PIL import Image

from tests.device import set_device
from tests.drawn import landscape
from tests.s3 import bucket, reader, s3_server  # noqa: F401 - fixtures
from tests.trainings import save


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--device",
        default="cpu",
        help="where the suites of colors, models, losses, metrics and photos compute",
    )


hypothesis.settings.register_profile("busy", deadline=None)  # cores may be busy
hypothesis.settings.load_profile("busy")


def pytest_configure(config: pytest.Config) -> None:
    set_device(config.getoption("--device"))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded photos and exported models go to a cache of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of twelve small photos in several formats, some of them nested."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "a" / "b").mkdir(parents=True)
    for i in range(12):
        suffix = ("png", "jpg", "webp", "tif")[i % 4]
        place = folder / ("a/b" if i % 3 == 0 else ".")
        Image.fromarray(landscape(i, 48 + i, 64 - i)).save(place / f"{i:02d}.{suffix}")
    return folder


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """For where the model folder is not what is tested: exporting takes longer than training."""
    monkeypatch.setattr("colorizer.training.finish.export", save)
    monkeypatch.setattr("colorizer.training.run.check_exportable", lambda model: None)
