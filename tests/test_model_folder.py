"""The model folder: found by name or path, read without torch, written whole."""

import pickle

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from colorizer.errors import UnknownNameError
from colorizer.model_folder import CONFIG, WEIGHTS, ModelFolder, shipped_models, writing
from colorizer.options import DEFAULT_MODEL
from tests.model_folder import write_model_folder


def test_a_shipped_name_is_found_and_a_wrong_one_answered(tmp_path, monkeypatch):
    monkeypatch.setattr("colorizer.model_folder.SERIALIZED", tmp_path)
    folder = write_model_folder(tmp_path / "colornet18")
    for model in ("colornet18", folder, str(folder)):
        assert ModelFolder.find(model).path == folder
    found = ModelFolder.find("colornet18")
    assert ModelFolder.find(found) is found
    assert (found.name, found.size) == ("tiny_ab", 64)
    with pytest.raises(UnknownNameError, match=r"did you mean 'colornet18'.*shipped: colornet18"):
        ModelFolder.find("colornet81")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnknownNameError, match=r"holds no model\.onnx"):
        ModelFolder.find(tmp_path / "empty")


def test_the_default_model_ships():
    assert DEFAULT_MODEL in shipped_models()


def test_a_tensor_is_read_as_safetensors_reads_it(tmp_path):
    folder = ModelFolder(write_model_folder(tmp_path / "tiny", "distribution"))
    for name, values in load_file(folder.weights).items():
        np.testing.assert_array_equal(folder.tensor(name), values.ravel())
    assert folder.tensor("nothing") is None


def test_elsewhere_it_is_read_anew(tmp_path):
    folder = ModelFolder(write_model_folder(tmp_path / "tiny"))
    config = yaml.safe_load((folder.path / CONFIG).read_text())
    config["inference"]["size"] = 96
    (folder.path / CONFIG).write_text(yaml.safe_dump(config))
    assert pickle.loads(pickle.dumps(folder)).size == 96


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_is_written_whole_or_not_at_all(tmp_path, exists):
    folder = tmp_path / "model"
    if exists:
        write_model_folder(folder)
        (folder / "notes.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in folder.glob("*")}
    config = {"model": {"name": "new"}, "inference": {"size": 32}}
    with pytest.raises(FileNotFoundError), writing(folder, config):
        pass  # no weights
    assert {path.name: path.read_bytes() for path in folder.glob("*")} == before
    with writing(folder, config, {"card.md": "# New\n"}) as work:
        (work / WEIGHTS).write_bytes(b"new")
    found = ModelFolder(folder)
    assert (found.name, found.size, found.texts()) == ("new", 32, {"card.md": "# New\n"})
    assert len(found.weights_sha256) == 64
    assert (folder / "notes.txt").exists() == exists
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
