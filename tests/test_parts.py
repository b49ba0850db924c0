"""The decorators for parts of one's own: functions become what their rooms ask for."""

import copy
import inspect

import pytest
import torch
from torch import nn

from colorizer import create_loss, create_metrics, list_losses, parts, registry
from colorizer.errors import UsageError
from colorizer.metrics.base import Number
from colorizer.models.heads import Head, create_head
from colorizer.training.loggers import create_loggers
from tests.drawn import pair


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch):
    for table in vars(registry).values():
        if isinstance(table, registry.Registry):
            monkeypatch.setattr(table, "_constructors", dict(table._constructors))


def test_a_function_is_a_loss_with_options():
    @parts.loss("scaled")
    def scaled(prediction, target, by: float = 2.0):
        """By how much."""
        return by * (prediction.ab - target.ab).abs().mean()

    prediction, target = pair()
    assert "scaled" in list_losses()
    expected = scaled(prediction, target, by=3.0).item()  # still the function
    loss = create_loss({"scaled": {"weight": 0.5, "by": 3}})
    assert loss(prediction, target).item() == pytest.approx(0.5 * expected)
    assert registry.LOSSES["scaled"].__doc__ == "By how much."
    for wrong, told in (({"bye": 3}, "'bye' is not accepted .it takes by"), ({"by": "x"}, "by")):
        with pytest.raises(UsageError, match=told):
            create_loss({"scaled": wrong})


def test_a_function_is_a_head_with_options():
    @parts.head("polar", channels=3)
    def polar(raw, most: float = 100.0):
        """A direction, and how far."""
        return most * raw[:, 2:].sigmoid() * nn.functional.normalize(raw[:, :2])

    head = create_head({"name": "polar", "most": 50}, 8, 2)
    raw = copy.deepcopy(head)(torch.randn(2, 8, 4, 4))
    assert raw.shape[1] == 3
    assert head.decode(raw.double()).dtype == torch.float32
    torch.testing.assert_close(head.decode(raw), polar(raw, most=50))
    assert head.name == "polar"
    assert head.stride == 2


def test_a_function_is_a_metric_that_says_what_it_is():
    @parts.metric("loudness", "How loud", "Lab", higher_is_better=None)
    def loudness(prediction, target, power: int = 1):
        """Of the prediction."""
        return prediction.ab.norm(dim=1).pow(power).mean((1, 2))

    prediction, target = pair()
    assert registry.METRICS["loudness"].numbers == (Number("loudness", "How loud", "Lab", None),)
    found = create_metrics({"loudness": {"power": 2}})
    found.update(prediction, target)
    assert found.compute()["loudness"] == pytest.approx(loudness(prediction, target, 2).mean())


def test_a_function_hears_what_is_logged(tmp_path):
    heard = []

    @parts.logger("ears")
    def ears(folder, step, numbers, louder: bool = False):
        """Into a list."""
        heard.append((folder, step, numbers, louder))

    (logger,) = create_loggers({"ears": {"louder": True}}, tmp_path)
    logger.log_hyperparams({"a": 1})
    logger.log_metrics({"val/loss": 2.0}, 7)
    assert heard == [(tmp_path, 7, {"val/loss": 2.0}, True)]
    assert logger.name == "ears"


def test_a_class_is_registered_as_it_is():
    class Own(nn.Module):
        """A loss with weights."""

    class OwnHead(Head):
        """A head."""

    assert parts.loss("own")(Own) is Own is registry.LOSSES["own"]
    assert parts.head("own")(OwnHead) is OwnHead is registry.HEADS["own"]


def test_a_cell_that_is_run_twice_replaces_itself():
    for factor in (1, 2):
        code = f"@parts.loss('again')\ndef again(p, t):\n    return {factor} * p.ab.mean()\n"
        exec(code, {"parts": parts, "__name__": "notebook"})
    prediction, target = pair()
    value = create_loss({"again": 1.0})(prediction, target).item()
    assert value == pytest.approx(2 * prediction.ab.mean().item())
    with pytest.raises(UsageError, match=r"'again' is registered already, by notebook.again"):
        parts.loss("again")(lambda prediction, target: 0)


def test_a_function_that_cannot_be_one_is_refused():
    with pytest.raises(UsageError, match=r"lambda.*\(prediction\): it is called with 2 values"):
        parts.loss("short")(lambda prediction: 0)
    with pytest.raises(UsageError, match="are options, with defaults"):
        parts.loss("long")(lambda prediction, target, scale: 0)
    assert "short" not in list_losses()


def test_every_decorator_says_what_it_takes():
    for name in ("head", "loss", "metric", "logger"):
        assert "function" in (inspect.getdoc(getattr(parts, name)) or "")
