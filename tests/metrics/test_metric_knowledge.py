"""calibrated_nll: blind to liveliness, not to knowledge."""

import numpy as np
import pytest
import torch

from colorizer.color.tensors import LabBatch
from colorizer.errors import UsageError
from colorizer.metrics import create_metrics
from colorizer.metrics.knowledge import CalibratedNLL
from tests.metrics.test_metrics import pair


def nll(prediction, target):
    metrics = create_metrics(["calibrated_nll"])
    metrics.update(prediction, target)
    return {name: value.item() for name, value in metrics.compute().items()}


def with_raw(side, raw):
    other = LabBatch(side.L, side.ab)
    other.raw = raw
    return other


@pytest.fixture(scope="module")
def sides():
    return pair(12, noise=0.3)


def test_a_bias_and_a_temperature_change_nothing(sides):
    prediction, target = sides
    plain = nll(prediction, target)
    bias = torch.randn(1, prediction.raw.shape[1], 1, 1, generator=torch.Generator().manual_seed(1))
    moved = nll(with_raw(prediction, 2 * prediction.raw + 0.5 * bias), target)
    assert moved["calibrated_nll"] == pytest.approx(plain["calibrated_nll"], abs=0.02)
    assert moved["calibrated_nll_temperature"] == pytest.approx(
        2 * plain["calibrated_nll_temperature"], rel=0.05
    )


def test_what_knows_nothing_is_worse(sides):
    prediction, target = sides
    ignorant = with_raw(prediction, torch.zeros_like(prediction.raw))
    assert nll(ignorant, target)["calibrated_nll"] > nll(prediction, target)["calibrated_nll"] + 0.1


def test_without_scores_it_is_how_rare_the_colors_are():
    """One color everywhere: its bins' own entropy, which no network gets below."""
    L, ab = torch.full((4, 1, 32, 32), 50.0), torch.full((4, 2, 32, 32), 10.0)
    side = with_raw(LabBatch(L, ab), torch.zeros(4, 261, 8, 8))
    offsets = 10.0 * np.array([[0, 0], [0, 1], [1, 0], [0, -1], [-1, 0]])  # the nearest bins
    share = np.exp(-(offsets**2).sum(1) / (2 * 5**2))
    share /= share.sum()
    expected = -(share * np.log(share)).sum()
    assert nll(side, LabBatch(L, ab))["calibrated_nll"] == pytest.approx(expected, abs=0.05)


def test_other_heads_and_single_pictures_are_refused():
    prediction, target = pair(1)
    with pytest.raises(UsageError, match="2 pictures or more"):
        nll(prediction, target)
    for raw in (torch.zeros(1, 2, 9, 10), None):
        with pytest.raises(UsageError, match="head 'distribution'"):
            CalibratedNLL().update(with_raw(prediction, raw), target)
