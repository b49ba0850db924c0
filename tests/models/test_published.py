"""Published networks: released weights of their names and shapes are taken (random ones, here)."""

import numpy as np
import pytest
import torch

from colorizer import ColorizerError, create_loss, create_model
from colorizer.color.gamut import bins
from colorizer.color.tensors import Target
from colorizer.config import Settings
from colorizer.weights import load_weights

# Of eccv16, block by block: where its convolutions lie, with their channels, and its batch norm.
ECCV16 = {
    1: ([(0, 1, 64), (2, 64, 64)], 4),
    2: ([(0, 64, 128), (2, 128, 128)], 4),
    3: ([(0, 128, 256), (2, 256, 256), (4, 256, 256)], 6),
    4: ([(0, 256, 512), (2, 512, 512), (4, 512, 512)], 6),
    5: ([(0, 512, 512), (2, 512, 512), (4, 512, 512)], 6),
    6: ([(0, 512, 512), (2, 512, 512), (4, 512, 512)], 6),
    7: ([(0, 512, 512), (2, 512, 512), (4, 512, 512)], 6),
}


def released() -> dict[str, torch.Tensor]:
    """Random weights of eccv16's names and shapes."""
    state = {}
    for block, (convolutions, norm) in ECCV16.items():
        for place, c_in, c_out in convolutions:
            state[f"model{block}.{place}.weight"] = torch.randn(c_out, c_in, 3, 3) * 0.01
            state[f"model{block}.{place}.bias"] = torch.randn(c_out)
        channels = convolutions[-1][2]
        for name in ("weight", "bias", "running_mean", "running_var"):
            state[f"model{block}.{norm}.{name}"] = torch.rand(channels)
        state[f"model{block}.{norm}.num_batches_tracked"] = torch.tensor(0)
    state["model8.0.weight"], state["model8.0.bias"] = torch.randn(512, 256, 4, 4), torch.rand(256)
    for place in (2, 4):
        state[f"model8.{place}.weight"] = torch.randn(256, 256, 3, 3) * 0.01
        state[f"model8.{place}.bias"] = torch.rand(256)
    state["model8.6.weight"], state["model8.6.bias"] = torch.randn(313, 256, 1, 1), torch.rand(313)
    colors = torch.tensor(bins("zhang")) / 110
    state["model_out.weight"] = colors.T[:, :, None, None].contiguous()
    return state


def test_the_bins_of_the_paper():
    found = bins("zhang")
    assert found.shape == (313, 2)
    assert found[[0, 1, 5, 312]].tolist() == [[-90, 50], [-90, 60], [-80, 20], [100, 0]]
    pairs = {tuple(row) for row in found.tolist()}
    assert len(pairs) == 313
    assert np.all(np.diff(found[:, 0]) >= 0)


def test_released_weights_of_cic_are_taken():
    torch.manual_seed(0)
    state, model = released(), create_model("cic").eval()
    load_weights(model, state, "eccv16")
    L = torch.rand(1, 1, 32, 40) * 100
    with torch.no_grad():
        x = (L - 50) / 100  # the network as it was released, retyped
        for block, (convolutions, norm) in ECCV16.items():
            for i, (place, _, _) in enumerate(convolutions):
                stride = 2 if block < 4 and i == len(convolutions) - 1 else 1
                spread = 2 if block in (5, 6) else 1
                name = f"model{block}.{place}"
                weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
                x = torch.conv2d(x, weight, bias, stride, spread, spread).relu()
            kept = [state[f"model{block}.{norm}.{k}"] for k in ("running_mean", "running_var")]
            scale = [state[f"model{block}.{norm}.{k}"] for k in ("weight", "bias")]
            x = torch.nn.functional.batch_norm(x, *kept, *scale)
        x = torch.conv_transpose2d(x, state["model8.0.weight"], state["model8.0.bias"], 2, 1).relu()
        for place in (2, 4):
            name = f"model8.{place}"
            x = torch.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1).relu()
        logits = torch.conv2d(x, state["model8.6.weight"], state["model8.6.bias"])
        ab = 110 * torch.conv2d((logits / 0.38).softmax(1), state["model_out.weight"])
        torch.testing.assert_close(model(L), logits, rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(model.decode(model(L)), ab, rtol=1e-3, atol=0.01)


def test_weights_for_other_colors_are_refused():
    state, model = released(), create_model("cic")
    state["model_out.weight"] = state["model_out.weight"].flip(1)
    with pytest.raises(ColorizerError, match="for other colors than the paper's 313 bins"):
        load_weights(model, state, "eccv16")


def test_its_loss_is_over_its_bins():
    model = create_model("cic", width=2)
    loss = create_loss({"distribution": {"bins": "zhang"}})
    prior = torch.full((len(bins()),), 1 / len(bins()))
    loss.set_prior(prior)
    model.head.set_prior(prior)
    assert model.head.training_prior.sum().item() == pytest.approx(1)
    L, ab = torch.rand(2, 1, 32, 32) * 100, torch.randn(2, 2, 32, 32) * 20
    loss(model.predict(L), Target(L, ab)).backward()
    with pytest.raises(ColorizerError, match="compares 261 channels, one per bin, and the head"):
        create_loss({"distribution": 1.0})(model.predict(L), Target(L, ab))


@pytest.mark.parametrize("name", ["cic", "ddcolor", "icolorit"])
def test_their_recipes_are_settings(name):
    assert Settings.load(name).model["name"] == name


def test_a_transformer_learns_to_follow_hints():
    """What is red and what is blue is a matter of chance here: only hints can tell."""
    torch.manual_seed(0)
    model = create_model("icolorit", width=32, depth=2)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    loss = create_loss({"huber": 1.0})

    def pictures(count):
        sign = torch.randint(0, 2, (count, 1, 1, 1)) * 2 - 1.0
        ab = 40 * sign * torch.tensor([1.0, 0.5]).view(1, 2, 1, 1).expand(count, 2, 32, 32)
        return torch.rand(count, 1, 32, 32) * 100, ab

    for _ in range(80):
        L, ab = pictures(16)
        optimizer.zero_grad()
        loss(model.predict(L, **model.tell(ab)), Target(L, ab)).backward()
        optimizer.step()
    L, ab = pictures(32)
    hints = torch.zeros(32, 3, 32, 32)
    hints[:, :2, 8:24, 8:24] = ab[:, :, 8:24, 8:24]
    hints[:, 2, 8:24, 8:24] = 1
    with torch.no_grad():
        told, alone = model.eval().predict(L, hints=hints), model.predict(L)
    assert (told.ab - ab).abs().mean() < 0.25 * (alone.ab - ab).abs().mean()
    assert torch.equal(model(L), model(L, hints=torch.zeros_like(hints)))


def test_hints_of_a_training_are_the_colors_that_are_there():
    ab = torch.randn(4, 2, 61, 83) * 30
    model = create_model("icolorit", width=8, depth=1)
    (hints,) = model.tell(ab, torch.Generator().manual_seed(0)).values()
    assert hints.shape == (4, 3, 61, 83)
    assert set(hints[:, 2].unique().tolist()) == {0, 1}
    assert not hints[:, :2][(hints[:, 2:] == 0).expand(-1, 2, -1, -1)].any()
    mean = torch.nn.functional.avg_pool2d(ab, 2, ceil_mode=True)
    cells = hints[:, :, ::2, ::2]
    torch.testing.assert_close(cells[:, :2], mean * cells[:, 2:])
    counts = cells[:, 2].sum((1, 2))
    assert counts.max() <= 128 + 40
    assert counts.unique().numel() == 4
    again = model.tell(ab, torch.Generator().manual_seed(0))["hints"]
    assert torch.equal(hints, again)
