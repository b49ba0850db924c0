"""Code of others: imported where it is named, and nowhere else."""

import sys

import pytest

from colorizer.errors import UnknownNameError, UsageError
from colorizer.extras import training_side
from colorizer.registry import MODELS
from colorizer.support import plugins

OWN = """
class OwnNet:
    pass
"""
NAME = "own_parts_of_a_test"


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / f"{NAME}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    yield NAME
    sys.modules.pop(NAME, None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, r"there is no module 'own_parts_of_a_test'"),
        ("import colorizer.nothing", r"fails on import: ModuleNotFoundError"),
        ("raise ValueError('no')", r"fails on import: ValueError: no"),
        (
            "from colorizer.registry import LOSSES\nLOSSES.register('mse')(dict)",
            r"the loss 'mse' is registered already, by colorizer",
        ),
    ],
)
def test_a_plugin_that_does_not_work_is_one_sentence(own, tmp_path, text, sentence):
    training_side("colorizer.losses")
    path = tmp_path / f"{own}.py"
    path.unlink() if text is None else path.write_text(text)
    for name in (own, str(path)):
        with pytest.raises(UsageError, match=sentence if name == own or text else "no plugin"):
            plugins.load_plugins([name])


def test_a_name_with_a_dot_is_looked_for_where_it_says(own):
    assert MODELS[f"{own}.OwnNet"].__name__ == "OwnNet"
    with pytest.raises(UnknownNameError, match=r"has no OwnNets; did you mean 'OwnNet'"):
        MODELS[f"{own}.OwnNets"]
    with pytest.raises(UsageError, match=r"there is no module 'nowhere'"):
        MODELS["nowhere.Net"]


def test_a_folder_cannot_have_a_function_called(tmp_path):
    """A config is data from anywhere: it names no code that is then run."""
    import yaml

    from colorizer.weights import load_model
    from tests.model_folder import write_model_folder

    folder = write_model_folder(tmp_path / "net")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    for name in ("os.system", "subprocess.call"):
        config["model"] = {"name": name}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        with pytest.raises(UsageError, match=r"no module of torch|not colorizer's own"):
            load_model(folder)
