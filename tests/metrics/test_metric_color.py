"""Color metrics against scikit-image, published pairs, retyped formulas and hand counts."""

import math

import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000

from colorizer.color.gamut import bins
from colorizer.color.tensors import LabBatch, rgb_to_lab
from colorizer.metrics import create_metrics
from colorizer.metrics.color import ciede2000

PUBLISHED = [  # a choice of Sharma, Wu and Dalal's test pairs: L, a, b twice, and the difference
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
    ((50, 0, 0), (50, -1, 2), 2.3669),
    ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
    ((50, -0.001, 2.49), (50, 0.0011, -2.49), 4.7461),
    ((50, 2.5, 0), (58, 24, 15), 19.4535),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
    ((90.8027, -2.0831, 1.441), (91.1528, -1.6435, 0.0447), 1.4441),
    ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
]


def flat(rgb, side=32):
    """One color, 0..255, everywhere."""
    return LabBatch(*rgb_to_lab(torch.tensor(rgb).view(1, 3, 1, 1).expand(1, 3, side, side) / 255))


def compute(name, *pairs):
    metrics = create_metrics([name])
    for prediction, target in pairs:
        metrics.update(prediction, target)
    return {key: value.item() for key, value in metrics.compute().items()}


@pytest.mark.parametrize(("first", "second", "difference"), PUBLISHED)
def test_ciede2000_of_published_pairs(first, second, difference):
    sides = [torch.tensor(lab, dtype=torch.float32).view(1, 3, 1, 1) for lab in (first, second)]
    split = [part for lab in sides for part in (lab[:, :1], lab[:, 1:])]
    assert ciede2000(*split).item() == pytest.approx(difference, abs=2e-4)
    assert ciede2000(*split[2:], *split[:2]).item() == pytest.approx(difference, abs=2e-4)


def test_ciede2000_is_scikit_images():
    rng = np.random.default_rng(0)
    low, high = np.array([0, -90, -90]), np.array([100, 90, 90])
    x, y = (rng.uniform(low, high, (50, 60, 3)) for _ in range(2))
    x[:5, :, 1:] = 0  # without hue
    sides = [torch.from_numpy(lab).permute(2, 0, 1)[None] for lab in (x, y)]
    ours = ciede2000(*(part for lab in sides for part in (lab[:, :1], lab[:, 1:])))
    np.testing.assert_allclose(ours[0].numpy(), deltaE_ciede2000(x, y), atol=2e-3)


def test_delta_e_is_the_mean_over_images_of_any_size():
    gray, red = flat([128, 128, 128]), flat([200, 40, 40])
    small_gray, small_red = flat([128, 128, 128], 33), flat([200, 40, 40], 33)
    one = compute("delta_e", (red, gray))["delta_e"]
    both = compute("delta_e", (red, gray), (small_gray, small_gray))["delta_e"]
    assert both == pytest.approx(one / 2, rel=1e-5)
    assert compute("delta_e", (small_red, small_gray))["delta_e"] == pytest.approx(one, rel=1e-5)


def test_a_constant_hue_shift_is_seen_by_delta_e_alone():
    angle = torch.linspace(0, 2 * math.pi, 32 * 32).view(1, 1, 32, 32)
    ab = 30 * torch.cat([angle.cos(), angle.sin()], 1)
    turned = 30 * torch.cat([(angle + math.pi / 2).cos(), (angle + math.pi / 2).sin()], 1)
    L = torch.full((1, 1, 32, 32), 60.0)
    sides = LabBatch(L, turned), LabBatch(L, ab)
    found = compute("chroma_histogram", sides)["chroma_histogram"]
    assert found < 0.02  # the same ring of colors
    assert compute("delta_e", sides)["delta_e"] > 20


def test_colorfulness_by_hand():
    left, right = torch.tensor([[200.0, 100, 50], [0, 100, 250]]).view(2, 3, 1, 1) / 255
    rgb = torch.cat([left.expand(3, 32, 16), right.expand(3, 32, 16)], 2)[None]
    # rg is 100 and -100, yb is 100 and -200
    published = math.hypot(100, 150) + 0.3 * math.hypot(0, -50)
    absolute = math.hypot(0, 50) + 0.3 * math.hypot(100, 150)
    gray = flat([90, 90, 90])
    found = compute("colorfulness", (LabBatch(*rgb_to_lab(rgb)), gray))
    assert found["colorfulness"] == pytest.approx(published, abs=0.05)
    assert found["colorfulness_abs"] == pytest.approx(absolute, abs=0.05)
    assert found["colorfulness_difference_of_means"] == pytest.approx(published, abs=0.1)
    assert compute("colorfulness", (gray, gray))["colorfulness"] == pytest.approx(0, abs=0.02)


def test_two_ways_to_compare_colorfulness():
    vivid, gray = flat([255, 0, 0]), flat([128, 128, 128])
    found = compute("colorfulness", (vivid, gray), (gray, vivid))  # swapped: the means agree
    value = 0.3 * math.hypot(255, 127.5)
    assert found["colorfulness"] == pytest.approx(value / 2, abs=0.05)
    assert found["colorfulness_difference_of_means"] == pytest.approx(0, abs=0.02)
    assert found["colorfulness_mean_difference"] == pytest.approx(value, abs=0.1)


def test_chroma_histogram_by_hand():
    L = torch.full((1, 1, 32, 32), 50.0)
    centers = bins()
    here, there = (torch.from_numpy(centers[i].copy()).view(1, 2, 1, 1) for i in (100, 160))
    first = here.expand(1, 2, 32, 32).clone()
    second = first.clone()
    second[..., :8] = there  # a quarter
    third = there.expand(1, 2, 32, 32)
    a, b, c = (LabBatch(L, ab) for ab in (first, second, third))
    assert compute("chroma_histogram", (a, a))["chroma_histogram"] == 0
    assert compute("chroma_histogram", (b, a))["chroma_histogram"] == pytest.approx(0.25)
    swapped = compute("chroma_histogram", (a, c), (c, a))
    assert swapped == {
        "chroma_histogram": pytest.approx(1),
        "chroma_histogram_pooled": pytest.approx(0, abs=1e-6),
    }


def test_chroma_out_of_gamut_counts_as_the_nearest():
    L = torch.full((1, 1, 32, 32), 50.0)
    far = LabBatch(L, torch.full((1, 2, 32, 32), 500.0))
    assert compute("chroma_histogram", (far, far))["chroma_histogram"] == 0
