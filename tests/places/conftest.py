import pytest

from colorizer.inference.colorizer import Colorizer
from tests.model_folder import write_model_folder


@pytest.fixture(scope="session")
def colorizer(tmp_path_factory) -> Colorizer:
    return Colorizer(write_model_folder(tmp_path_factory.mktemp("models") / "tiny"), threads=1)
