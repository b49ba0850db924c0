"""Model folders: what is in them, parity of torch and ONNX Runtime, and what loading refuses."""

import hashlib
import shutil
from collections import OrderedDict

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import nn

from colorizer import export as exporting
from colorizer import weights as room
from colorizer.errors import ColorizerError, UsageError
from colorizer.export import export
from colorizer.inference.network import Network
from colorizer.models import create_model, list_models
from colorizer.weights import (
    average_weights,
    export_weights,
    folder_for_state_dict,
    load_model,
    load_state_dict,
    load_weights,
)

SMALL = {
    "name": "colornet",
    "encoder": "test_resnet",
    "last_stride": 8,
    "width": 8,
    "dilations": [2],
}
TINY = {
    "plain": {**SMALL, "cross_connections": False},
    "cross": {**SMALL, "cross_connections": True},
    "constant": {"name": "constantnet", "width": 8},
}
QUICK = ("cross", "distribution"), ("constant", "ab")  # what the other tests have traced anyway
UNSEEN = ((1, 1, 47, 70), (3, 1, 33, 98))  # the export traces and checks at others


def trained(**options):
    """A model whose weights and batch statistics are not those of the start."""
    torch.manual_seed(0)
    model = create_model(**options).train()
    nn.init.normal_(model.head.project.weight, std=0.2)
    with torch.no_grad():
        model(100 * torch.rand(2, 1, 64, 64))
    return model


def session(folder):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(folder / "model.onnx", options)


@torch.no_grad()
def check_parity(folder):
    """load_model and the graph agree on sizes and batches that the export did not see."""
    model, graph = load_model(folder), session(folder)
    for shape in UNSEEN:
        L = 100 * torch.rand(shape, generator=torch.Generator().manual_seed(5))
        raw = model(L)
        if model.head.name == "ab":
            theirs = graph.run(None, {"L": L.numpy()})
            np.testing.assert_allclose(theirs[0], model.decode(raw).numpy(), atol=0.02)
            np.testing.assert_allclose(theirs[1], model.features(L).numpy(), atol=0.02)
        if model.head.name == "distribution":
            q = len(model.head.bins)
            temperature = np.array(model.head.temperature, np.float32)
            neutral = {"temperature": temperature, "prior": np.ones(q, np.float32)}
            theirs = graph.run(None, {"L": L.numpy(), **neutral})
            uncertainty = model.head.uncertainty(raw).numpy()
            expected = (model.decode(raw).numpy(), uncertainty, raw.numpy(), model.features(L))
            for value, ours, atol in zip(theirs, expected, (0.02, 1e-3, 0.02, 0.02), strict=True):
                np.testing.assert_allclose(value, ours, atol=atol)
            prior = torch.linspace(0, 2, q)
            feed = {"temperature": np.array(0.8, np.float32), "prior": prior.numpy()}
            theirs = graph.run(None, {"L": L.numpy(), **feed})
            ours = model.decode(raw, temperature=0.8, prior=prior)
            np.testing.assert_allclose(theirs[0], ours.numpy(), atol=0.02)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """One exported folder of each tiny model and head, made when first asked for."""
    made = {}

    def folder(kind, head):
        if (kind, head) not in made:
            path = tmp_path_factory.mktemp("models") / f"{kind}-{head}"
            model = trained(**TINY[kind], head=head)
            made[kind, head] = export(model, path, settings={"epochs": 3}), model
        return made[kind, head]

    return folder


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        # Tracing takes seconds; `test_parity_of_the_zoo` and -m slow have the others.
        pytest.param(
            kind,
            head,
            marks=() if (kind, head) in QUICK else pytest.mark.slow,
        )
        for kind in TINY
        for head in ("distribution", "ab")
    ],
)
def test_parity_at_unseen_sizes(folders, kind, head):
    check_parity(folders(kind, head)[0])


@pytest.mark.slow
@pytest.mark.parametrize("head", ["distribution", "ab"])
@pytest.mark.parametrize("name", list_models())
def test_parity_of_the_zoo(tmp_path, name, head):
    check_parity(export(trained(name=name, head=head), tmp_path / name, settings={}))


def test_each_weight_is_stored_once(folders):
    folder, model = folders("cross", "distribution")
    weights = (folder / "weights.safetensors").read_bytes()
    stored = load_file(folder / "weights.safetensors")
    proto = onnx.load(folder / "model.onnx", load_external_data=False)
    inside = [i for i in proto.graph.initializer if not i.external_data]
    assert sum(len(i.raw_data) for i in inside) < 10_000
    outside = [i for i in proto.graph.initializer if i.external_data]
    assert len(outside) == len(stored)
    for tensor in outside:
        place = {e.key: e.value for e in tensor.external_data}
        assert place["location"] == "weights.safetensors"
        begin = int(place["offset"])
        data = weights[begin : begin + int(place["length"])]
        value = stored[tensor.name.removeprefix("model.").removesuffix(".half")]
        assert data == value.numpy().tobytes()
    assert {stored[k].dtype for k, _ in model.named_parameters()} == {torch.float16}
    assert (folder / "model.onnx").stat().st_size < 100_000


def test_graph_names_its_inputs_and_outputs(folders):
    folder, model = folders("cross", "distribution")
    graph = session(folder)
    inputs = {i.name: i.shape for i in graph.get_inputs()}
    assert inputs == {"L": ["N", 1, "H", "W"], "temperature": [], "prior": [261]}
    assert not graph.get_overridable_initializers()  # browsers and OpenVINO refuse them
    channels = model.head.project.in_channels
    assert [(o.name, o.shape) for o in graph.get_outputs()] == [
        ("ab", ["N", 2, "h", "w"]),
        ("uncertainty", ["N", 1, "h", "w"]),
        ("logits", ["N", 261, "h", "w"]),
        ("features", ["N", channels, "h", "w"]),
    ]
    graph = session(folders("constant", "ab")[0])
    assert [o.name for o in graph.get_outputs()] == ["ab", "features"]
    assert not graph.get_overridable_initializers()


def test_config_says_what_was_built_and_trained(folders):
    folder, model = folders("cross", "distribution")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    digest = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    assert config["weights_sha256"] == digest
    assert config["inference"]["size"] == 256
    assert config["training"] == {"epochs": 3}
    assert config["model"] == model.config
    assert config["model"]["stride"] == 4  # defaults are noted too
    other = yaml.safe_load((folders("constant", "ab")[0] / "config.yaml").read_text())
    assert other["inference"] == {"size": 256}  # a head without a temperature has none


def test_export_leaves_the_model_as_it_was(folders):
    model = folders("constant", "ab")[1]
    assert model.training
    assert any((p != p.half().float()).any() for p in model.parameters())
    assert all(p.requires_grad for p in model.parameters())


def test_full_precision_and_extra_files(tmp_path):
    model = trained(**TINY["constant"], head="ab")
    folder = tmp_path / "new" / "folder"
    export(
        model, folder, settings={}, weights_dtype="float32", size=192, extra_files={"card.md": "é"}
    )
    assert (folder / "card.md").read_text(encoding="utf-8") == "é"
    loaded = load_model(folder)
    for key, value in model.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(loaded.state_dict()[key], value)
    assert yaml.safe_load((folder / "config.yaml").read_text())["inference"]["size"] == 192
    (folder / "curves.png").write_text("mine")
    export(trained(**TINY["constant"], head="distribution"), folder, settings={})
    assert (folder / "curves.png").read_text() == "mine"
    assert load_model(folder).head.name == "distribution"
    assert [p.name for p in folder.parent.iterdir()] == ["folder"]  # nothing left behind


@pytest.mark.slow
def test_what_looks_alike_is_traced_once_and_what_is_not_alike_again(tmp_path, monkeypatch):
    traced = []
    plain = exporting._trace
    monkeypatch.setattr(exporting, "_trace", lambda n: traced.append(n) or plain(n))
    monkeypatch.setattr(exporting, "_TRACED", OrderedDict())
    model = trained(**TINY["plain"], head="ab")
    check_parity(export(model, tmp_path / "a", settings={}))
    torch.nn.init.normal_(model.head.project.weight, std=0.1)
    check_parity(export(model, tmp_path / "b", settings={}))
    assert len(traced) == 1
    forward = type(model.head).forward
    monkeypatch.setattr(type(model.head), "forward", lambda self, x: 2 * forward(self, x))
    check_parity(export(model, tmp_path / "c", settings={}))
    assert len(traced) == 2


def test_export_that_fails_leaves_nothing(tmp_path):
    model = trained(**TINY["constant"], head="ab")
    with pytest.raises(ColorizerError, match="differs from the model: ab by"):
        export(model, tmp_path / "out", settings={}, tolerance=-1.0)
    with torch.no_grad():
        model.head.project.weight[0, 0] = 1e6
    with pytest.raises(ColorizerError, match=r"head\.project\.weight does not fit float16"):
        export(model, tmp_path / "out", settings={})
    with torch.no_grad():
        model.head.project.weight[0, 0] = float("nan")
    with pytest.raises(ColorizerError, match="diverged"):
        export(model, tmp_path / "out", settings={})
    (tmp_path / "file").write_text("")
    with pytest.raises(ColorizerError, match="cannot write the model folder"):
        export(create_model("constantnet"), tmp_path / "file" / "out", settings={})
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_changed_weights_are_refused(folders, tmp_path):
    folder = shutil.copytree(folders("constant", "ab")[0], tmp_path / "m")
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ColorizerError, match="sha256"):
        load_model(folder)
    with pytest.raises(ColorizerError, match="no model folder"):
        load_model(tmp_path)


def test_weights_of_another_model_are_named(tmp_path):
    model = create_model("constantnet", head="ab", width=8)
    state = create_model("constantnet", head="distribution", width=8).state_dict()
    state["extra.weight"] = state.pop("enter.0.0.weight")
    with pytest.raises(ColorizerError) as caught:
        load_weights(model, state, "w.pth")
    for part in (
        "w.pth holds weights of another model than constantnet",
        "missing 1 (enter.0.0.weight)",
        "unexpected 2 (extra.weight, head.training_prior)",
        "shape differs 2 (head.project.bias, head.project.weight)",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize("kind", [".safetensors", ".pth", ".ckpt", "compiled.pth"])
def test_state_dicts_of_every_kind(tmp_path, kind):
    model = create_model("constantnet", head="ab", width=8)
    state, file = model.state_dict(), tmp_path / f"w{kind}"
    if kind == ".safetensors":
        save_file({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, file)
    elif kind == ".pth":
        torch.save(state, file)
    else:
        prefix = "model._orig_mod." if "compiled" in kind else "model."
        others = {"loss.vgg.weight": torch.ones(3)}
        torch.save(
            {"epoch": 3, "state_dict": {prefix + k: v for k, v in state.items()} | others}, file
        )
    loaded = load_state_dict(file)
    assert loaded.keys() == state.keys()
    load_weights(create_model("constantnet", head="ab", width=8), loaded, "w")
    torch.testing.assert_close(
        loaded["enter.0.0.weight"], state["enter.0.0.weight"], atol=1e-3, rtol=0
    )
    assert loaded["enter.0.0.weight"].dtype == torch.float32


def test_export_of_a_state_dict_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    options = {**TINY["constant"], "head": "ab"}
    torch.save(trained(**options).state_dict(), tmp_path / "mine.pth")
    folder = folder_for_state_dict(tmp_path / "mine.pth", options)
    assert folder.is_relative_to(tmp_path / "cache" / "colorizer")
    monkeypatch.setattr(room, "export", lambda *_, **__: pytest.fail("exported again"))
    assert folder_for_state_dict(tmp_path / "mine.pth", options) == folder
    with pytest.raises(ColorizerError, match="another model"):
        folder_for_state_dict(tmp_path / "mine.pth", {**options, "width": 16})
    with pytest.raises(ColorizerError, match="no weights file"):
        folder_for_state_dict(tmp_path / "none.pth", options)


def test_a_model_folder_can_be_given_other_defaults(folders, tmp_path):
    source = folders("cross", "distribution")[0]
    changed = export_weights(source, tmp_path / "changed", size=96, temperature=0.9, moderation=0.0)
    vivid = export_weights(changed, tmp_path / "vivid", gain=1.5)
    before, after = (yaml.safe_load((f / "config.yaml").read_text()) for f in (source, changed))
    assert after["inference"] == {"size": 96, "temperature": 0.9, "moderation": 0, "gain": 1}
    assert after["training"] == before["training"]
    assert after["model"] == before["model"]
    assert load_model(changed).head.temperature == 0.9
    L = 100 * np.random.default_rng(0).random((40, 40), np.float32)
    default = Network(changed)(L)
    np.testing.assert_allclose(default, Network(source)(L, temperature=0.9), atol=1e-4)
    np.testing.assert_allclose(Network(vivid)(L), 1.5 * default, rtol=1e-4, atol=1e-4)
    assert load_model(vivid).head.gain == 1.5
    assert np.abs(default - Network(source)(L)).max() > 0.1


def another(source, folder, seed, **inference):
    """A model folder like `source`, its weights moved a little, at random."""
    model = load_model(source)
    generator = torch.Generator().manual_seed(seed)
    for value in model.parameters():
        value.data += 0.05 * torch.randn(value.shape, generator=generator)
    return export(model, folder, settings={}, **inference)


def test_an_average_is_the_mean_of_the_weights(folders, tmp_path):
    sources = [
        folders("cross", "distribution")[0],
        another(folders("cross", "distribution")[0], tmp_path / "b", 1, size=96),
        another(folders("cross", "distribution")[0], tmp_path / "c", 2, size=96),
    ]
    stored = [load_file(source / "weights.safetensors") for source in sources]
    for shares in (None, [0.5, 0.3, 0.2]):
        folder = average_weights(sources, tmp_path / "mean", shares=shares)
        for key, value in load_file(folder / "weights.safetensors").items():
            values = np.stack([weights[key].double().numpy() for weights in stored])
            expected = np.average(values, axis=0, weights=shares)
            np.testing.assert_allclose(value.double(), expected, rtol=1e-3, atol=1e-6)
        check_parity(folder)
    before, after = (yaml.safe_load((f / "config.yaml").read_text()) for f in (sources[0], folder))
    assert after["inference"] == before["inference"]
    assert after["model"] == before["model"]
    made_of = after["training"]["average"]
    assert [part["share"] for part in made_of] == [0.5, 0.3, 0.2]
    for part, source in zip(made_of, sources, strict=True):
        digest = hashlib.sha256((source / "weights.safetensors").read_bytes()).hexdigest()
        assert part["weights_sha256"] == digest


@pytest.mark.parametrize(
    ("others", "shares", "message"),
    [
        ([], None, "two model folders or more: 1 given"),
        (["same"], [1.0], "one for each of the 2"),
        (["same"], [0.7, 0.2], r"0\.7, 0\.2: accepted .* sum to 1"),
        (["same"], [1.5, -0.5], "above 0"),
        (["other"], None, "is another model than .*head ab.* and .*head distribution"),
        (["none"], None, "unknown model 'none'"),
    ],
)
def test_averages_of_what_does_not_fit_are_refused(folders, tmp_path, others, shares, message):
    known = {"same": folders("cross", "distribution")[0], "other": folders("constant", "ab")[0]}
    sources = [known["same"], *(known.get(name, name) for name in others)]
    with pytest.raises(ColorizerError, match=message):
        average_weights(sources, tmp_path / "mean", shares=shares)
    assert not (tmp_path / "mean").exists()


def test_a_default_that_is_fixed_in_the_graph_is_not_changed_by_hand(folders, tmp_path):
    folder = shutil.copytree(folders("cross", "distribution")[0], tmp_path / "edited")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    L = 100 * np.random.default_rng(0).random((32, 32), np.float32)
    before = Network(folder)(L)
    config["inference"]["temperature"] = 0.9
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert np.abs(Network(folder)(L) - before).max() > 0.1
    config["inference"]["moderation"] = 0.123
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ColorizerError, match=r"says moderation 0.123, but .* was made with"):
        Network(folder)
    renewed = Network(export_weights(folder, tmp_path / "renewed"))
    assert renewed.moderation == 0.123


def test_defaults_that_do_not_fit_are_refused(folders, tmp_path):
    source = folders("constant", "ab")[0]
    with pytest.raises(UsageError, match=r"the head .ab. takes none"):
        export_weights(source, tmp_path / "out", temperature=0.5)
    with pytest.raises(UsageError, match="leave out --model"):
        export_weights(source, tmp_path / "out", model={"name": "colornet18"})
    assert not list(tmp_path.iterdir())
