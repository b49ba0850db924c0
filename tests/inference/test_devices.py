"""A named device is in use, or an error."""

import onnxruntime
import pytest

from colorizer.errors import ColorizerError, UsageError
from colorizer.inference import devices
from colorizer.inference.colorizer import Colorizer
from tests.model_folder import write_model_folder

NAMES = ["cuda", "coreml", "directml", "openvino"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.mark.parametrize("device", NAMES)
def test_what_is_not_installed_is_an_error_that_says_how(model, monkeypatch, device):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ColorizerError, match=f"device {device}: .* pip install onnxruntime"):
        Colorizer(model, device=device)


@pytest.mark.parametrize("device", NAMES)
def test_a_silent_fall_back_is_an_error(model, monkeypatch, device):
    """ONNX Runtime then starts on the processor, and says nothing that a program sees."""
    provider = devices._PROVIDERS[device][0]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [provider])
    plain = onnxruntime.InferenceSession

    def fallen(path, options, providers):
        assert providers[0][0] == provider
        return plain(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", fallen)
    with pytest.raises(ColorizerError, match="is installed but does not start"):
        Colorizer(model, device=device)


def test_the_processor_and_names_that_are_none(model):
    for settings in ({}, {"device": "cpu"}):
        network = Colorizer(model, **settings)._network
        assert network._session.get_providers() == ["CPUExecutionProvider"]
    with pytest.raises(UsageError, match="device is 'tpu'; accepted are cpu"):
        Colorizer(model, device="tpu")
    with pytest.raises(UsageError, match="a device is chosen when a model is loaded"):
        Colorizer(model).with_options(device="cuda")
