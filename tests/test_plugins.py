"""A file of one's own adds model, head, loss and metric, outside the package."""

import sys

import pytest

from colorizer.cli import main
from colorizer.errors import UnknownNameError, UsageError
from colorizer.extras import training_side
from colorizer.registry import HEADS, LOSSES, METRICS, MODELS
from colorizer.support import plugins
from tests.drawn import landscape
from tests.trainings import rows

OWN = '''
"""All that a method needs, in one file."""
import torch
from torch import nn
from colorizer.metrics.base import ImageMean, Number
from colorizer.models.colornet import ColorModel
from colorizer.models.heads import Head, create_head
from colorizer.registry import HEADS, LOSSES, METRICS, MODELS

@HEADS.register("own_tanh")
class TanhHead(Head):
    """Chroma that no raw value pushes out of bounds."""
    def __init__(self, in_channels: int, stride: int = 4, most: float = 110.0) -> None:
        super().__init__(in_channels, 2, stride)
        self.most = most
    def decode(self, raw):
        return self.most * torch.tanh(raw.float())

class OwnNet(ColorModel):
    def __init__(self, head: str | dict = "own_tanh", width: int = 8) -> None:
        super().__init__()
        self.body = nn.Conv2d(1, width, 3, stride=4, padding=1)
        self.head = create_head(head, width, stride=4)
    def features(self, L):
        return self.body(L / 50 - 1).relu()

@LOSSES.register("own_loss")
class OwnLoss(nn.Module):
    """No constructor at all."""
    def forward(self, prediction, target):
        return (prediction.ab - target.ab).abs().mean()

@METRICS.register("own_metric")
class OwnMetric(ImageMean):
    """Mean chroma."""
    numbers = (Number("own_metric", "Mean chroma"),)
    def per_image(self, prediction, target):
        return prediction.ab.norm(dim=1).mean((1, 2))[:, None]
'''
NAME = "own_parts_of_a_test"


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / f"{NAME}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    kept = [(r, dict(r._constructors)) for r in (HEADS, LOSSES, METRICS, MODELS)]
    yield NAME
    sys.modules.pop(NAME, None)
    for registry, before in kept:
        registry._constructors = before


def words(own, photos):
    model = f"{{name: {own}.OwnNet, head: {{name: own_tanh, most: 90}}}}"
    return [
        *("train", "--plugins", f"[{own}]", "--data.train", str(photos), "--model", model),
        *("--loss", "{own_loss: 1.0}", "--metrics", "[own_metric]", "--trainer.name", "run"),
        *("--data.size", "32", "--data.crop", "32", "--data.batch_size", "4"),
        *("--trainer.accelerator", "cpu", "--trainer.max_steps", "4", "--trainer.epochs", "9"),
    ]


def test_an_own_file_trains_resumes_averages_and_colors(own, photos, tmp_path, capsys):
    assert main(words(own, photos)) == 0
    run = tmp_path / "runs" / "run"
    assert "val/own_metric" in rows(run)[-1]
    assert main(["train", "--resume", str(run), "--data.crop", "64"]) == 2
    assert "data.crop: " in capsys.readouterr().err
    assert main(["train", "--resume", str(run), "--trainer.max_steps", "6"]) == 0
    model = str(run / "model")
    # Another process, in which nobody has named the code: it is not imported by the folder.
    del sys.modules[own]
    for registry in (HEADS, LOSSES, METRICS):
        for name in [name for name in registry._constructors if name.startswith("own_")]:
            del registry._constructors[name]
    assert main(["average", model, model, "-o", "mean"]) == 2
    assert f"name it by --plugins '[{own}]'" in capsys.readouterr().err
    assert main(["average", model, model, "-o", "mean", "--plugins", f"[{own}]"]) == 0
    # What colors is a graph, and needs none of it.
    from colorizer import Colorizer

    assert Colorizer("mean").colorize(landscape(0, 40, 50)[..., 0]).shape == (40, 50, 3)
    named = ["evaluate", "--model", "own=mean", "--data", str(photos), "--device", "cpu"]
    assert main([*named, "--plugins", f"[{own}]", "--metrics", "[own_metric]"]) == 0
    out = capsys.readouterr().out
    assert "Mean chroma" in out
    assert "drift" not in out


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, r"there is no module 'own_parts_of_a_test'"),
        ("import colorizer.nothing", r"fails on import: ModuleNotFoundError"),
        ("raise ValueError('no')", r"fails on import: ValueError: no"),
        (
            "from colorizer.registry import LOSSES\nLOSSES.register('mse')(dict)",
            r"the loss 'mse' is registered already, by colorizer",
        ),
    ],
)
def test_a_plugin_that_does_not_work_is_one_sentence(own, tmp_path, text, sentence):
    training_side("colorizer.losses")
    path = tmp_path / f"{own}.py"
    path.unlink() if text is None else path.write_text(text)
    for name in (own, str(path)):
        with pytest.raises(UsageError, match=sentence if name == own or text else "no plugin"):
            plugins.load_plugins([name])


def test_a_name_with_a_dot_is_looked_for_where_it_says(own):
    assert MODELS[f"{own}.OwnNet"].__name__ == "OwnNet"
    with pytest.raises(UnknownNameError, match=r"has no OwnNets; did you mean 'OwnNet'"):
        MODELS[f"{own}.OwnNets"]
    with pytest.raises(UsageError, match=r"there is no module 'nowhere'"):
        MODELS["nowhere.Net"]


def test_a_folder_cannot_have_a_function_called(tmp_path):
    """A config is data from anywhere: it names no code that is then run."""
    import yaml

    from colorizer.weights import load_model
    from tests.model_folder import write_model_folder

    folder = write_model_folder(tmp_path / "net")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    for name in ("os.system", "subprocess.call"):
        config["model"] = {"name": name}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        with pytest.raises(UsageError, match=r"no module of torch|not colorizer's own"):
            load_model(folder)
