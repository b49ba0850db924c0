"""Losses and metrics on plain tensors, in a loop of one's own."""

import pytest
import torch

from colorizer import UsageError, create_loss, create_metrics, create_model
from colorizer.color.tensors import Prediction, Target, rgb_to_lab


def test_pictures_are_taken_as_they_are() -> None:
    x, y = torch.rand(2, 2, 3, 32, 32)
    loss = create_loss({"mse": 1.0})
    pair = [Target(*rgb_to_lab(side)) for side in (x, y)]
    assert loss(x, y).item() == pytest.approx(loss(*pair).item(), rel=1e-4)
    x.requires_grad_()
    loss(x, y).backward()
    assert x.grad is not None
    metrics = create_metrics(["psnr", "auc"])
    metrics.update(x.detach(), y)
    rounded = ((x.detach() * 255).round() - (y * 255).round()).square().mean((1, 2, 3))
    expected = (10 * torch.log10(255**2 / rounded)).mean().item()
    assert metrics.compute()["psnr"].item() == pytest.approx(expected, rel=1e-5)


def test_a_models_prediction_has_all() -> None:
    model = create_model("constantnet", width=8)
    L, ab = rgb_to_lab(torch.rand(2, 3, 32, 32))
    prediction = model.predict(L)
    assert isinstance(prediction, Prediction)
    assert prediction.rgb.shape == (2, 3, 32, 32)
    assert torch.equal(prediction.raw, model(L))
    create_loss({"distribution": 1.0})(prediction, Target(L, ab)).backward()


def test_what_cannot_be_compared_is_one_sentence() -> None:
    rgb = torch.rand(2, 3, 16, 16)
    with pytest.raises(UsageError, match=r"needs a Prediction, as model\.predict\(L\) gives"):
        create_loss({"distribution": 1.0})(rgb, rgb)
    for wrong, came in (
        (rgb[:, :1], r"a float32 tensor of \(2, 1, 16, 16\)"),
        ((rgb * 255).byte(), "a uint8 tensor"),
        (rgb.numpy(), "ndarray"),
    ):
        sentence = f"losses and metrics got {came}.*; they take a Prediction"
        with pytest.raises(UsageError, match=sentence):
            create_loss({"mse": 1.0})(wrong, rgb)
        with pytest.raises(UsageError, match=sentence):
            create_metrics(["psnr"]).update(wrong, rgb)
