"""docs/extending.md, followed: its files are written where it says, and kept to the contracts."""

import dataclasses
import importlib.util
import re
from pathlib import Path

import pytest
import torch

from colorizer import create_loss, create_metrics, create_model, options, registry
from colorizer.errors import UsageError
from colorizer.export import COUNTER, export
from colorizer.inference.network import Network
from colorizer.support.fields import option
from tests.drawn import pair
from tests.losses import test_loss_contract as losses
from tests.metrics import test_metrics as metrics
from tests.models import test_models as models
from tests.systems import needs_posix

TEXT = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
OWN = re.findall(r"^`mymethod\.py`\n\n```python\n(.*?)^```", TEXT, re.M | re.S)
LOOP = re.findall(r"^## In a loop of your own\n.*?^```python\n(.*?)^```", TEXT, re.M | re.S)
TRAINER = re.findall(r"^\*\*By a Trainer of your own.*?^```python\n(.*?)^```", TEXT, re.M | re.S)
FILES = dict(re.findall(r"^`(colorizer/\w+/\w+\.py)`\n\n```python\n(.*?)^```", TEXT, re.M | re.S))


@pytest.fixture(autouse=True)
def followed(tmp_path, monkeypatch):
    """The files of the page, imported."""
    for table in vars(registry).values():
        if isinstance(table, registry.Registry):
            monkeypatch.setattr(table, "_constructors", dict(table._constructors))
    for name, code in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(file.stem, file)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_the_page_has_a_file_of_each_kind():
    assert [Path(name).parent.name for name in FILES] == ["models", "models", "losses", "metrics"]


def test_the_file_of_ones_own():
    (code,) = OWN
    assert len(code.splitlines()) <= 60
    exec(code, {"__name__": "mymethod"})
    settings = {"head": {"name": "soft", "most": 90}, "width": 8}
    model = models.create("mynet", **settings)
    assert model.head.decode(torch.full((1, 2, 1, 1), 99.0)).flatten().tolist() == [90, 90]
    models.check_gradients(model, 2, 61, 83)
    models.check_state_dict("mynet", settings)
    losses.test_least_at_the_original("absolute")
    losses.test_documents_every_option("absolute")
    metrics.test_its_numbers_are_what_it_computes("chroma")


@needs_posix("symbolic links without a right of their own")
def test_a_loop_of_ones_own(photos, tmp_path, monkeypatch):
    (code,) = LOOP
    (tmp_path / "photos").symlink_to(photos)
    monkeypatch.chdir(tmp_path)
    space = {}
    exec(code, space)
    assert space["again"].config["name"] == "constantnet"
    kept = space["again"].state_dict()
    for name, ours in space["model"].state_dict().items():
        if not name.endswith(COUNTER):  # which is no weight
            assert torch.allclose(ours.float(), kept[name].float(), atol=1e-2), name


@pytest.mark.filterwarnings("ignore")  # Lightning's advice on other loggers and workers
def test_a_trainer_of_ones_own(photos, tmp_path, monkeypatch):
    (code,) = TRAINER
    (tmp_path / "photos").symlink_to(photos)
    monkeypatch.chdir(tmp_path)
    space = {}
    exec(code, space)
    assert space["trainer"].current_epoch == 2
    assert space["trainer"].callback_metrics["val/psnr"] > 5


@pytest.mark.parametrize("head", ["distribution", "ab", "bounded"])
def test_the_model_and_the_head(head):
    settings = {"head": head, "width": 8}
    model = models.create("tinynet", **settings)
    models.check_gradients(model, 2, 61, 83)
    models.check_batch(model.eval())
    models.check_shapes(model, model(models.lightness(1, 1, 1)), 1, 1, 1)
    models.check_state_dict("tinynet", settings)
    models.check_seed("tinynet", settings)


def test_they_make_a_model_folder(tmp_path):
    model = create_model("tinynet", head="bounded", width=4)
    folder = export(model, tmp_path / "tiny", settings={})
    ab = Network(folder)(models.lightness(1, 30, 40)[0, 0].numpy())
    assert ab.shape == (2, 8, 10)


def test_the_loss():
    losses.test_gradient_reaches_the_prediction_and_nothing_else("charbonnier")
    losses.test_least_at_the_original("charbonnier")
    losses.test_autocast_stays_near_float32("charbonnier")
    for n, height, width in ((1, 33, 47), (3, 61, 24)):
        losses.test_float32_scalar_at_any_size("charbonnier", n, height, width)
    prediction, target = pair()
    error = (prediction.ab - target.ab).detach()
    expected = (torch.sqrt(error**2 + 4) - 2).mean().item()
    loss = create_loss({"charbonnier": {"weight": 0.5, "epsilon": 2.0}})
    assert loss(prediction, target).item() == pytest.approx(0.5 * expected)


def test_the_metric():
    metrics.test_batch_splits_do_not_matter("saturation")
    metrics.test_two_processes_and_a_reset("saturation")
    metrics.test_its_numbers_are_what_it_computes("saturation")
    prediction, target = pair()
    found = create_metrics(["saturation"])
    found.update(target, target)
    assert found.compute()["saturation"] == 0
    found.update(prediction, target)
    assert found.compute()["saturation"] > 0


def test_the_option():
    (line,) = re.findall(r"^    (contrast: .*)$", TEXT, re.M)
    space = {"option": option}
    exec(f"class Field:\n    {line}", space)

    @dataclasses.dataclass(frozen=True)
    class WithContrast(options.ColorizeOptions):
        contrast: float = vars(space["Field"])["contrast"]

    assert WithContrast.of({"contrast": 1.5}).noted()[-1] == "contrast 1.5"
    with pytest.raises(UsageError, match="contrast is 3; accepted are numbers from 0 to 2"):
        WithContrast(contrast=3)
