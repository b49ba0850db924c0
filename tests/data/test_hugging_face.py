"""Data sets in Hugging Face's form, where the package is installed; and what is told else."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from colorizer.config import DataSettings
from colorizer.data.hugging_face import HuggingFace
from colorizer.data.module import PhotoModule
from colorizer.errors import ColorizerError, UsageError
from tests.drawn import landscape


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "pictures").mkdir()
    for i in range(6):
        Image.fromarray(landscape(i, 40, 50)).save(tmp_path / "pictures" / f"{i}.png")
    return tmp_path / "pictures"


@pytest.mark.filterwarnings("ignore")  # of a package that is the user's
def test_each_form_on_disk(pictures: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    rows = datasets.load_dataset(str(pictures), split="train")
    (tmp_path / "parquet").mkdir()
    rows.to_parquet(str(tmp_path / "parquet" / "train-0.parquet"))
    rows.save_to_disk(str(tmp_path / "saved"))
    datasets.DatasetDict(train=rows).save_to_disk(str(tmp_path / "both"))
    files = [{"file": path.read_bytes()} for path in sorted(pictures.iterdir())]
    (tmp_path / "bytes").mkdir()
    datasets.Dataset.from_list(files).to_parquet(str(tmp_path / "bytes" / "train-0.parquet"))
    for form, column in (
        ("pictures", "image"),
        ("parquet", "image"),
        ("saved", "image"),
        ("both", "image"),
        ("bytes", "file"),
    ):
        found = HuggingFace(str(tmp_path / form), column=column)
        assert len(found) == 6
        assert np.array_equal(np.asarray(found[0]), landscape(0, 40, 50)), form
    spec = {"name": "hugging_face", "path": str(tmp_path / "parquet")}
    data = PhotoModule(DataSettings(train=spec, size=32, crop=32, batch_size=2))
    assert next(iter(data.train_dataloader(0))).shape[1:] == (3, 32, 32)
    with pytest.raises(UsageError, match="has no column 'photo'; it has image"):
        HuggingFace(str(pictures), column="photo")
    with pytest.raises(ColorizerError, match=r'ValueError: Unknown split "test"'):
        HuggingFace(str(pictures), split="test")


@pytest.mark.parametrize("path", ["./none", "/none", "a/b/c"])
def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace())
    with pytest.raises(UsageError, match="there is no such folder, and the hub has no such name"):
        HuggingFace(path)


def test_what_the_package_raises_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*args: object, **options: object) -> None:
        raise OSError("cannot\nreach the hub")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load))
    with pytest.raises(ColorizerError, match=r"'user/x': OSError: cannot reach the hub$"):
        HuggingFace("user/x")
