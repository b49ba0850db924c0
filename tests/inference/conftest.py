import pytest

from colorizer.inference.colorizer import Colorizer
from tests.model_folder import write_model_folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A model folder whose answers are known."""
    return write_model_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def colorizer(folder):
    return Colorizer(folder, threads=1)
