"""hue_shares against scikit-image and counts by hand."""

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from colorizer.color.tensors import LabBatch, rgb_to_lab
from colorizer.metrics import create_metrics
from colorizer.metrics.hues import FAMILIES


def measured(prediction, target):
    metrics = create_metrics(["hue_shares"])
    metrics.update(prediction, target)
    return {name: value.item() for name, value in metrics.compute().items()}


def test_the_families_are_the_whole_circle_once():
    ends = [span for family in FAMILIES.values() for span in family]
    assert ends[1:-1:2] == ends[2::2]
    assert ends[0] == ends[-1]


def test_shares_are_those_of_scikit_image():
    rng = np.random.default_rng(0)
    ours, real = (rng.integers(0, 256, (3, 20, 30, 3), np.uint8) for _ in range(2))
    found = measured(*(batch(side) for side in (ours, real)))
    for name, (start, end) in FAMILIES.items():
        for limit in (20, 40):
            counts = []
            for side in (ours, real):
                _, a, b = np.moveaxis(rgb2lab(side), -1, 0)
                turned = (np.degrees(np.arctan2(b, a)) - start) % 360
                counts.append(((turned < (end - start) % 360) & (np.hypot(a, b) > limit)).sum())
            ratio = found[f"hue_shares_{name}_{limit}"]
            assert ratio == pytest.approx(counts[0] / counts[1], abs=0.01)


def batch(pictures):
    return LabBatch(*rgb_to_lab(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255))


def plain(*colors):
    """A picture of a column for each (a, b)."""
    ab = torch.tensor(colors, dtype=torch.float32).T[None, :, None].expand(1, 2, 4, -1)
    return LabBatch(torch.full((1, 1, *ab.shape[2:]), 50.0), ab)


def test_by_hand():
    red, pale, blue, gray = (45.0, 0.0), (25.0, 0.0), (0.0, -50.0), (0.0, 0.0)
    real = plain(red, red, pale, blue)
    assert measured(real, real)["hue_shares"] == 0
    found = measured(plain(red, gray, gray, gray), real)
    assert found["hue_shares_red_40"] == 0.5
    assert found["hue_shares_red_20"] == pytest.approx(1 / 3)
    assert found["hue_shares_blue_20"] == 0
    assert np.isnan(found["hue_shares_green_20"])  # the original has none
    assert found["hue_shares"] == pytest.approx(np.mean([0.5, 2 / 3, 1, 1]))
    assert measured(plain(gray, gray, gray, gray), real)["hue_shares"] == 1
