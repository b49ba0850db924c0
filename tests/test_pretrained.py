"""Models saved, loaded from folders and from the hub, and colored with as they are."""

import shutil
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from huggingface_hub.errors import EntryNotFoundError
from torch import nn

from colorizer import Colorizer, ColorizerError, UsageError, create_model, load_model
from colorizer.model_folder import ModelFolder
from colorizer.support import hub
from tests.drawn import landscape


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory):
    torch.manual_seed(0)
    model = create_model("constantnet", head="ab", width=8).eval()
    nn.init.normal_(model.head.project.weight, std=0.2)
    return model, model.save_pretrained(tmp_path_factory.mktemp("saved") / "net", size=64)


def same(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.allclose(a.float(), b.float(), atol=1e-3) for a, b in pairs)


def test_what_is_saved_is_loaded(saved) -> None:
    model, folder = saved
    assert same(load_model(folder), model)
    assert ModelFolder(folder).size == 64


def test_a_module_colors_as_its_folder(saved, monkeypatch: pytest.MonkeyPatch) -> None:
    model, folder = saved
    gray = landscape(0, 40, 50)[..., 0]
    found = Colorizer(model, size=64).colorize(gray)
    np.testing.assert_array_equal(found, Colorizer(folder).colorize(gray))
    monkeypatch.setattr("colorizer.weights.export", lambda *_, **__: pytest.fail("exported again"))
    Colorizer(model)
    with pytest.raises(UsageError, match="a Linear is no model that colors: make it a ColorModel"):
        Colorizer(nn.Linear(2, 2))


def test_a_repository_of_the_hub(saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, folder = saved
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = []

    def download(repository, name, revision, local_dir):
        asked.append((repository, revision))
        if not (folder / name).is_file():
            raise EntryNotFoundError(name)
        local_dir.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / name, local_dir / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(hub, "hub_answers", lambda: False)
    with pytest.raises(ColorizerError, match=r"hf://me/net@v1: the hub is out of reach"):
        load_model("hf://me/net@v1")
    assert not asked
    monkeypatch.setattr(hub, "hub_answers", lambda: True)
    assert same(load_model("hf://me/net@v1"), model)
    assert set(asked) == {("me/net", "v1")}
    monkeypatch.setattr(hub, "hub_answers", lambda: False)  # what was fetched stays
    Colorizer("hf://me/net@v1")
    (weights,) = tmp_path.rglob("weights.safetensors")
    with weights.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x77")
    with pytest.raises(ColorizerError, match="damaged model folder"):
        load_model("hf://me/net@v1")
    monkeypatch.setattr(hub, "hub_answers", lambda: True)
    folder = tmp_path / "nothing"
    with pytest.raises(ColorizerError, match=r"hf://me/none: EntryNotFoundError: config\.yaml"):
        load_model("hf://me/none")
    for wrong in ("hf://net", "hf://a/../b", "hf://a/b@", "hf://"):
        with pytest.raises(UsageError, match="an address of the hub is"):
            load_model(wrong)
