"""Files in place of weights are called what they are, by whoever reads weights."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from colorizer.backbones.fetched import fill
from colorizer.errors import ColorizerError
from colorizer.model_folder import ModelFolder
from colorizer.models.encoders import read_tensors
from colorizer.support.impostors import what_it_is
from tests.model_folder import write_model_folder

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
PAGE = b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>404 Not Found</body></html>"


def cut(path, share=0.6):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".ckpt"])
@pytest.mark.parametrize(
    ("content", "words"),
    [(POINTER, "is a Git LFS pointer"), (PAGE, "is a web page"), (b"", "is empty")],
)
def test_what_is_no_weights(tmp_path, suffix, content, words):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(ColorizerError, match=words) as told:
        read_tensors(path)
    assert "weights_only" not in str(told.value)


def test_files_that_are_cut_off(tmp_path):
    torch.save({"a": torch.zeros(1000)}, tmp_path / "w.pth")
    save_file({"a" * 99: np.zeros(10, np.float32)}, tmp_path / "w.safetensors")
    for path in (tmp_path / "w.pth", tmp_path / "w.safetensors"):
        assert what_it_is(path) == ""
        assert read_tensors(path)
        with pytest.raises(ColorizerError, match="is cut off after"):
            read_tensors(cut(path))


def test_a_model_folder_of_pointers(tmp_path):
    folder = write_model_folder(tmp_path / "tiny")
    (folder / "weights.safetensors").write_bytes(POINTER)
    with pytest.raises(ColorizerError, match="is a Git LFS pointer"):
        _ = ModelFolder(folder).weights_sha256


def test_the_networks_of_losses_and_metrics(tmp_path):
    (tmp_path / "vgg.safetensors").write_bytes(PAGE)
    with pytest.raises(ColorizerError, match="is a web page"):
        fill({}, "vgg16", str(tmp_path / "vgg.safetensors"), dict)
