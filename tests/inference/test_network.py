"""The network of a model folder, by hand-built models whose answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colorizer.errors import ColorizerError
from colorizer.inference.network import Network, pad, working_size
from tests.model_folder import BINS, write_config, write_model_folder


@pytest.fixture(scope="module")
def network(folder):
    return Network(folder, threads=1)


@pytest.fixture(scope="module")
def distribution(tmp_path_factory):
    return Network(write_model_folder(tmp_path_factory.mktemp("m") / "d", "distribution"), 1)


@given(height=st.integers(1, 80), width=st.integers(1, 80))
@settings(max_examples=25, deadline=None)
def test_any_size_can_be_padded_and_predicted(network, height, width):
    L = np.random.default_rng(0).uniform(0, 100, (height, width)).astype(np.float32)
    padded = pad(L)
    assert all(0 <= b - s < 32 and b % 32 == 0 for b, s in zip(padded.shape, L.shape, strict=True))
    np.testing.assert_array_equal(padded[:height, :width], L)
    means = padded.reshape(padded.shape[0] // 4, 4, padded.shape[1] // 4, 4).mean((1, 3))
    np.testing.assert_allclose(network(padded)[1], 1.2 * means - 50, atol=1e-3)


def test_padding_reflects():
    L = np.random.default_rng(0).uniform(0, 100, (40, 33))
    np.testing.assert_array_equal(pad(L)[40:, :33], L[-2:-26:-1])
    assert (pad(L[:1, :1]) == L[0, 0]).all()


def test_temperature_sharpens_a_distribution(distribution, network):
    L = np.full((32, 32), 66, np.float32)
    assert distribution.has_temperature
    assert not network.has_temperature
    sharp, own, soft = (distribution(L, temperature=t)[:, 0, 0] for t in (0.002, None, 50))
    assert np.abs(BINS - sharp).sum(1).min() < 0.1  # one of the bins
    np.testing.assert_allclose(soft, BINS.mean(0), atol=2)
    np.testing.assert_allclose(own, distribution(L, temperature=0.4)[:, 0, 0], atol=1e-4)


@given(st.integers(1, 30_000), st.integers(1, 30_000), st.sampled_from([64, 256, 512]))
def test_working_size_keeps_the_aspect(width, height, size):
    small_width, small_height = working_size(width, height, size)
    assert 1 <= min(small_width, small_height) <= size
    assert max(small_width, small_height) <= 4 * size
    if max(width, height) <= 4 * min(width, height):
        assert min(small_width, small_height) == size
        assert small_width / small_height == pytest.approx(width / height, rel=0.5 / size + 0.002)
    assert working_size(height, width, size) == (small_height, small_width)


def _flip_last_byte(folder):
    path = folder / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _remove(name):
    return lambda folder: (folder / name).unlink()


def _write(name, text):
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_flip_last_byte, "damaged model folder: .*weights.safetensors has sha256"),
        (_remove("weights.safetensors"), "weights.safetensors cannot be read: No such file"),
        (_remove("config.yaml"), "config.yaml cannot be read: No such file"),
        (_write("config.yaml", "model: [1"), "config.yaml is no valid YAML"),
        (_write("config.yaml", "model: {name: x}"), "config.yaml lacks one of"),
        (_write("config.yaml", "just text"), "config.yaml lacks one of"),
        (_write("model.onnx", "no graph"), "model.onnx does not load"),
    ],
)
def test_a_damaged_folder_is_refused(tmp_path, damage, message):
    folder = write_model_folder(tmp_path / "tiny")
    damage(folder)
    with pytest.raises(ColorizerError, match=message):
        Network(folder, threads=1)


def test_chroma_that_is_not_finite_is_an_error(tmp_path):
    import safetensors.numpy

    folder = write_model_folder(tmp_path / "tiny")
    path = folder / "weights.safetensors"
    weights = safetensors.numpy.load_file(path)
    weights["bias"] = np.array([np.nan, 0], np.float32)
    safetensors.numpy.save_file(weights, path)
    write_config(folder, {"name": "tiny"}, 64)
    with pytest.raises(ColorizerError, match="no finite chroma"):
        Network(folder, threads=1)(np.zeros((32, 32), np.float32))
