"""Training from weights that exist: `init`, and encoders that are frozen for a while."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from colorizer import ColorizerError, Settings, UnknownNameError, UsageError, create_model, train
from colorizer.export import export
from colorizer.training.start import chosen_model, create_initial, load_teacher
from tests.trainings import quick, rows, save

TINY = {"name": "colornet", "encoder": "test_resnet", "pretrained": False, "last_stride": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("models") / "tiny"
    model = create_model(**TINY, width=8)
    model.head.set_option("temperature", 0.7)
    return export(model, path, settings={})


def test_init_takes_model_and_weights_of_a_folder(folder: Path) -> None:
    settings = Settings(init=str(folder), model={"freeze": 0.5, "dilations": (1, 2)})
    settings.model = chosen_model(settings)
    assert settings.model["name"] == "colornet"
    assert settings.model["width"] == 8
    model = create_initial(settings, resumed=False)
    stored = load_file(folder / "weights.safetensors")
    for name, value in model.named_parameters():
        assert torch.equal(value, stored[name].float())
    assert model.encoder.freeze == 0.5
    assert model.head.options()["temperature"] == 0.7
    assert model.config["pretrained"]  # so that the encoder learns gently


def test_init_takes_a_state_dict(tmp_path: Path) -> None:
    model = create_model(**TINY, width=8)
    save_file(model.state_dict(), tmp_path / "mine.safetensors")
    settings = Settings(init=str(tmp_path / "mine.safetensors"), model={**TINY, "width": 8})
    settings.model = chosen_model(settings)
    again = create_initial(settings, resumed=False)
    assert all(torch.equal(again.state_dict()[k], v) for k, v in model.state_dict().items())


def test_without_init_the_base_is_trained() -> None:
    assert chosen_model(Settings()) == {"name": "colornet18"}
    assert chosen_model(Settings(model={"head": "ab"})) == {"name": "colornet18", "head": "ab"}


@pytest.mark.parametrize("model", [{"head": "ab"}, {"encoder": "resnet18"}, {"name": "colornet50"}])
def test_another_model_than_the_folders_is_named(folder: Path, model: dict) -> None:
    key = next(iter(model))
    with pytest.raises(UsageError, match=f"model.{key} is .* holds weights of a model with {key}"):
        chosen_model(Settings(init=str(folder), model=model))


def test_init_that_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown model 'colornet81'; did you mean"):
        chosen_model(Settings(init="colornet81"))
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors")
    settings = Settings(init=str(tmp_path / "bad.safetensors"), model=TINY)
    with pytest.raises(ColorizerError, match=r"bad\.safetensors"):
        create_initial(settings, resumed=False)
    save_file({"other": torch.ones(1)}, tmp_path / "foreign.safetensors")
    settings.init = str(tmp_path / "foreign.safetensors")
    with pytest.raises(ColorizerError, match="holds weights of another model than colornet: miss"):
        create_initial(settings, resumed=False)


def test_a_loss_learns_from_a_shipped_model(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colorizer.training.finish.export", save)
    monkeypatch.setattr("colorizer.training.run.check_exportable", lambda model: None)
    settings = quick(photos, tmp_path, last_stride=8)
    settings.loss = {"distillation": {"teacher": "colornet18"}}
    settings.trainer.epochs, settings.trainer.ema = 8, 0.0
    settings.optimizer.learning_rate, settings.schedule.warmup_steps = 5e-3, 0
    losses = [float(row["val/loss"]) for row in rows(train(settings))]
    assert losses[-1] < 0.5 * losses[0]


def test_a_teacher_has_to_know_of_distributions(tmp_path: Path) -> None:
    model = create_model(**TINY, width=8, head="ab")
    folder = export(model, tmp_path / "regression", settings={})
    with pytest.raises(UsageError, match="has the head 'ab': a loss learns from a distribution"):
        load_teacher(str(folder))
    with pytest.raises(UnknownNameError, match="unknown model 'colornet_lite_cros'"):
        load_teacher("colornet_lite_cros")


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_beyond_the_training_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="accepted are shares from 0 to 1"):
        create_model(**TINY, freeze=share)


def test_a_frozen_encoder_stays_and_then_learns(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two epochs the first is frozen: after one nothing has moved, after two everything has."""
    monkeypatch.setattr("colorizer.training.finish.export", save)
    monkeypatch.setattr("colorizer.training.run.check_exportable", lambda model: None)
    initial = create_model(**TINY)
    save_file(initial.state_dict(), tmp_path / "start.safetensors")
    results = {}
    for share, stages in ((1.0, 0), (0.5, 0), (0.5, 1)):
        options = {"last_stride": 8, "freeze": share, "frozen_stages": stages}
        settings = quick(photos, tmp_path / f"runs{share}-{stages}", **options)
        settings.init = str(tmp_path / "start.safetensors")
        settings.optimizer.learning_rate = 0.01
        results[share, stages] = load_file(train(settings) / "model" / "w.safetensors")
    start = initial.state_dict()
    encoder = [name for name in start if name.startswith("encoder.")]
    for name in encoder:
        assert torch.equal(results[1.0, 0][name], start[name]), name
    for stages in (0, 1):  # the first is all that comes before layer1
        moved = {n for n in encoder if not torch.equal(results[0.5, stages][n], start[n])}
        firsts = {n for n in encoder if n.endswith("conv1.weight")}
        assert firsts & moved == {n for n in firsts if not stages or ".layer" in n}
        if stages:
            assert all(".layer" in name for name in moved)
