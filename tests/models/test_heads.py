"""The two heads: the annealed mean beside the formula, its limits, and the uncertainty."""

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from colorizer.color.gamut import bins, class_weights
from colorizer.errors import UnknownNameError, UsageError
from colorizer.export import export
from colorizer.models import create_model
from colorizer.models.heads import AbHead, DistributionHead, Head, create_head
from colorizer.registry import HEADS

Q = len(bins())


@pytest.fixture
def head():
    return DistributionHead(8)


def logits(n=2, h=3, w=4, seed=0, scale=3.0):
    return scale * torch.randn(n, Q, h, w, generator=torch.Generator().manual_seed(seed))


def annealed_mean(raw, temperature, prior):
    """Zhang et al. 2016, equation 5, as printed: of probabilities, with their powers."""
    e = np.exp(raw.double().numpy())
    z = e / e.sum(1, keepdims=True) * prior[None, :, None, None]
    z /= z.sum(1, keepdims=True)
    f = np.exp(np.log(z) / temperature)
    f /= f.sum(1, keepdims=True)
    return np.stack([(f * bins()[:, i][None, :, None, None]).sum(1) for i in (0, 1)], 1)


@pytest.mark.parametrize("temperature", [0.1, 0.38, 1.0])
def test_decode_is_the_annealed_mean(head, temperature):
    prior = np.random.default_rng(0).uniform(0.1, 2, Q)
    raw = logits()
    expected = annealed_mean(raw, temperature, prior)
    ours = head.decode(raw, temperature, torch.tensor(prior))
    np.testing.assert_allclose(ours.numpy(), expected, atol=2e-3)
    tensor = head.decode(raw, torch.tensor(temperature), torch.tensor(prior))
    torch.testing.assert_close(ours, tensor)


def test_defaults_are_temperature_038_and_no_prior(head):
    raw = logits()
    torch.testing.assert_close(head.decode(raw), head.decode(raw, 0.38, torch.ones(Q)))


def test_temperature_to_zero_gives_the_mode(head):
    raw = logits()
    mode = head.bins[raw.argmax(1)].permute(0, 3, 1, 2)
    torch.testing.assert_close(head.decode(raw, 0.0), mode, atol=0.5, rtol=0)
    assert head.decode(raw, torch.tensor(0.0)).isfinite().all()


def test_temperature_one_gives_the_mean(head):
    raw = logits()
    mean = torch.einsum("nqhw,qc->nchw", raw.softmax(1), head.bins)
    torch.testing.assert_close(head.decode(raw, 1.0), mean, atol=1e-4, rtol=0)


def test_prior_is_a_palette(head):
    prior = torch.zeros(Q)
    prior[17] = 3
    ab = head.decode(logits(), prior=prior)
    torch.testing.assert_close(ab, head.bins[17].view(1, 2, 1, 1).expand_as(ab))
    assert head.uncertainty(logits(), prior).max() < 1e-3
    assert head.decode(logits(), prior=torch.zeros(Q)).isfinite().all()


def test_uncertainty_goes_from_none_to_one(head):
    torch.testing.assert_close(head.uncertainty(torch.zeros(1, Q, 2, 2)), torch.ones(1, 1, 2, 2))
    certain = torch.zeros(1, Q, 2, 2)
    certain[:, 5] = 100
    torch.testing.assert_close(head.uncertainty(certain), torch.zeros(1, 1, 2, 2))
    p = logits().double().softmax(1)
    entropy = -(p * p.log()).sum(1, keepdim=True) / np.log(Q)
    torch.testing.assert_close(head.uncertainty(logits()), entropy.float(), atol=1e-5, rtol=0)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999),
    scale=st.floats(0, 300),
    temperature=st.floats(0, 4),
    empty=st.integers(0, Q),
)
def test_chroma_stays_among_the_bins(seed, scale, temperature, empty):
    head = DistributionHead(1)
    prior = torch.ones(Q)
    prior[:empty] = 0
    raw = logits(1, 2, 2, seed, scale)
    ab = head.decode(raw, temperature, prior)
    low, high = (torch.tensor(f(bins(), 0)).view(1, 2, 1, 1) for f in (np.min, np.max))
    assert (ab >= low - 0.01).all()
    assert (ab <= high + 0.01).all()
    uncertainty = head.uncertainty(raw, prior)
    assert (uncertainty >= -1e-5).all()
    assert (uncertainty <= 1 + 1e-5).all()


@pytest.mark.parametrize("name", ["ab", "distribution"])
def test_decoding_is_float32_under_autocast(name):
    head = create_head(name, 8, stride=4)
    features = torch.randn(2, 8, 5, 6)
    with torch.autocast("cpu", torch.bfloat16):
        raw = head(features)
        ab = head.decode(raw)
    assert raw.dtype == torch.bfloat16
    assert ab.dtype == torch.float32
    torch.testing.assert_close(ab, head.decode(raw.float()))


def test_ab_head_starts_at_gray_and_speaks_lab_units():
    torch.manual_seed(0)
    head = AbHead(8)
    assert head.decode(head(torch.randn(1, 8, 4, 4))).abs().max() < 20
    torch.testing.assert_close(head.decode(torch.ones(1, 2, 1, 1)), torch.full((1, 2, 1, 1), 110.0))


def test_training_prior_is_kept_with_the_weights(head):
    assert head.training_prior.sum() == pytest.approx(1)
    head.training_prior.copy_(torch.arange(Q) / Q)
    other = DistributionHead(8)
    other.load_state_dict(head.state_dict())
    assert torch.equal(other.training_prior, head.training_prior)
    assert "bins" not in head.state_dict()
    assert not [k for k, _ in head.named_parameters() if "prior" in k]


@pytest.mark.parametrize("moderation", [0.0, 0.5, 1.0])
def test_moderation_leans_to_the_colors_of_the_training(moderation):
    head = DistributionHead(8, moderation=moderation)
    seen = np.random.default_rng(1).dirichlet(np.full(Q, 0.1))
    head.training_prior.copy_(torch.tensor(seen))
    raw = logits()
    expected = annealed_mean(raw, 0.38, (0.5 * seen + 0.5 / Q) ** moderation)
    np.testing.assert_allclose(head.decode(raw).numpy(), expected, atol=2e-3)


def test_the_gain_multiplies_the_mean():
    raw = logits()
    expected = 1.4 * annealed_mean(raw, 0.38, np.full(Q, Q**-0.5))
    np.testing.assert_allclose(
        DistributionHead(8, gain=1.4).decode(raw).numpy(), expected, atol=2e-3
    )


def test_full_moderation_takes_the_rebalancing_of_the_loss_back():
    """A head that fits the rebalanced loss has p * w; moderation 1 must give p's mean again."""
    rng = np.random.default_rng(2)
    seen = rng.dirichlet(np.full(Q, 0.1)).astype(np.float32)
    truth = torch.tensor(rng.dirichlet(np.full(Q, 0.5), 6).T[None, :, :, None], dtype=torch.float32)
    head = DistributionHead(8, moderation=1.0)
    head.training_prior.copy_(torch.tensor(seen))
    fitted = (truth * torch.tensor(class_weights(seen))[:, None, None]).log()
    mean = torch.einsum("nqhw,qc->nchw", truth, head.bins)
    torch.testing.assert_close(head.decode(fitted, 1.0), mean, atol=1e-3, rtol=0)


def test_a_head_of_ones_own_is_a_class_and_a_name(tmp_path, monkeypatch):
    """Its control is an input of the graph, what it tells an output, its option in the config."""

    class Tinted(Head):
        name = "tinted"

        def __init__(self, in_channels, stride=4):
            super().__init__(in_channels, 2, stride)
            self.gain = 3.0

        def controls(self):
            return {"tint": torch.zeros(2)}

        def options(self):
            return {"gain": self.gain}

        def decode(self, raw, tint=None):
            ab = self.gain * raw.float()
            return ab if tint is None else ab + tint.view(1, 2, 1, 1)

        def outputs(self, raw, **controls):
            return {**super().outputs(raw, **controls), "doubt": raw.float().square()}

    monkeypatch.setitem(HEADS._constructors, "tinted", Tinted)
    model = create_model("constantnet", head="tinted", width=2)
    folder = export(model, tmp_path / "net", settings={})
    graph = onnxruntime.InferenceSession(folder / "model.onnx")
    assert [value.name for value in graph.get_inputs()] == ["L", "tint"]
    assert [value.name for value in graph.get_outputs()] == ["ab", "doubt", "features"]
    L, tint = np.full((1, 1, 8, 9), 40, np.float32), np.array([5, -7], np.float32)
    plain, tinted = (graph.run(["ab"], {"L": L, "tint": t})[0] for t in (0 * tint, tint))
    np.testing.assert_allclose(tinted - plain, tint[:, None, None] + 0 * plain, atol=1e-4)
    assert yaml.safe_load((folder / "config.yaml").read_text())["inference"]["gain"] == 3.0
    model.head.set_option("gain", 2.0)
    assert model.head.gain == 2.0
    with pytest.raises(UsageError, match=r"temperature 1: the head 'tinted' takes gain"):
        model.head.set_option("temperature", 1)


def test_an_unknown_head_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"did you mean 'distribution'"):
        create_head("distributon", 8, 4)
