"""One ONNX file for other runtimes."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from colorizer import UsageError, create_model
from colorizer.portable import export_graph

TINY = {"name": "colornet", "encoder": "test_resnet", "last_stride": 8, "width": 8}


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    model = create_model(**TINY)
    torch.nn.init.normal_(model.head.project.weight)
    return model.eval()


def feed(L: np.ndarray) -> dict[str, np.ndarray]:
    prior = np.linspace(0.1, 2, 261, dtype=np.float32)
    return {"L": L, "temperature": np.array(0.5, np.float32), "prior": prior}


def test_a_static_graph_in_an_older_opset_is_the_model(model, tmp_path: Path) -> None:
    path = export_graph(model, tmp_path / "model.onnx", opset=17, static=(64, 96))
    proto = onnx.load(path)
    onnx.checker.check_model(proto)
    assert proto.opset_import[0].version == 17
    assert proto.ir_version <= 8
    assert not any(tensor.external_data for tensor in proto.graph.initializer)
    shape = [d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim]
    assert shape == [1, 1, 64, 96]
    L = 100 * np.random.default_rng(0).random((1, 1, 64, 96), np.float32)
    session = onnxruntime.InferenceSession(path)
    ab, uncertainty, logits, features = session.run(None, feed(L))
    with torch.no_grad():
        x = torch.from_numpy(L)
        raw = model(x)
        prior = torch.from_numpy(feed(L)["prior"])
        np.testing.assert_allclose(logits, raw.numpy(), atol=1e-3)
        np.testing.assert_allclose(features, model.features(x).numpy(), atol=1e-3)
        expected = model.decode(raw, temperature=0.5, prior=prior)
        np.testing.assert_allclose(ab, expected.numpy(), atol=0.02)
        expected = model.head.uncertainty(raw, prior)
        np.testing.assert_allclose(uncertainty, expected.numpy(), atol=1e-3)
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed: its reader is not tried")
    net = cv2.dnn.readNetFromONNX(str(path))
    for name, value in feed(L).items():  # its arrays have two dimensions at least
        net.setInput(value if name == "L" else value.reshape(1, -1), name)
    found = net.forward([output.name for output in session.get_outputs()])
    np.testing.assert_allclose(np.reshape(found[0], ab.shape), ab, atol=0.02)


def test_the_file_says_what_it_takes_and_gives(model, tmp_path: Path) -> None:
    session = onnxruntime.InferenceSession(export_graph(model, tmp_path / "model.onnx"))
    told = session.get_modelmeta().custom_metadata_map
    inputs, outputs = (json.loads(told[f"colorizer.{side}"]) for side in ("inputs", "outputs"))
    assert [i.name for i in session.get_inputs()] == list(inputs)
    assert [o.name for o in session.get_outputs()] == list(outputs)
    L = 100 * np.random.default_rng(0).random((1, 1, 64, 64), np.float32)
    # What it says is enough to run it, and is what the model does by itself.
    told = {k: np.full(v["shape"], v["default"], np.float32) for k, v in inputs.items() if k != "L"}
    found = dict(zip(outputs, session.run(None, {"L": L, **told}), strict=True))
    with torch.no_grad():
        expected = model.decode(model(torch.from_numpy(L))).numpy()
    np.testing.assert_allclose(found["ab"], expected, atol=0.02)
    assert inputs["L"]["range"] == [0, 100]
    assert all(64 // v["stride"] == found[k].shape[2] for k, v in outputs.items())


@pytest.mark.parametrize("static", [None, (64, 96)])
def test_a_simple_graph_takes_lightness_alone(model, tmp_path: Path, static) -> None:
    path = export_graph(model, tmp_path / "model.onnx", static=static, simple=True)
    session = onnxruntime.InferenceSession(path)
    assert [i.name for i in session.get_inputs()] == ["L"]
    assert [o.name for o in session.get_outputs()] == ["ab"]
    L = 100 * np.random.default_rng(0).random((1, 1, 64, 96), np.float32)
    with torch.no_grad():
        expected = model.decode(model(torch.from_numpy(L))).numpy()
    np.testing.assert_allclose(session.run(None, {"L": L})[0], expected, atol=0.02)
    if static:
        cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed: its reader is not tried")
        net = cv2.dnn.readNetFromONNX(str(path))
        net.setInput(L)
        np.testing.assert_allclose(net.forward(), expected, atol=0.02)


@pytest.mark.slow
def test_sizes_stay_open_otherwise(model, tmp_path: Path) -> None:
    session = onnxruntime.InferenceSession(export_graph(model, tmp_path / "model.onnx"))
    for shape in ((2, 1, 40, 72), (1, 1, 33, 65)):
        L = 100 * np.random.default_rng(1).random(shape, np.float32)
        with torch.no_grad():
            expected = model.decode(model(torch.from_numpy(L)), temperature=0.5).numpy()
        given = feed(L) | {"prior": np.ones(261, np.float32)}
        np.testing.assert_allclose(session.run(["ab"], given)[0], expected, atol=0.02)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("folder", {}, "named OUT.onnx"),
        ("a.onnx", {"opset": 12}, "accepted are 17 and 18"),
        ("a.onnx", {"static": (100, 64)}, "static is 100x64; accepted are multiples of 32"),
    ],
)
def test_what_is_not_accepted(model, tmp_path: Path, name, options, sentence) -> None:
    with pytest.raises(UsageError, match=sentence):
        export_graph(model, tmp_path / name, **options)
    assert not list(tmp_path.iterdir())
