"""What every head must do; run over the registry, so that a new one is tested without a change."""

import inspect

import pytest
import torch

from colorizer.models import list_heads
from colorizer.models.heads import create_head
from colorizer.registry import HEADS
from tests.device import device


@pytest.fixture(params=list_heads())
def head(request):
    torch.manual_seed(0)
    return create_head(request.param, 8, 4).to(device()).eval()


def raw_of(head, n=2, h=3, w=5):
    return head(torch.randn(n, 8, h, w, device=device()))


def test_it_is_called_as_it_is_registered(head):
    assert HEADS[head.name] is type(head)
    assert head.stride == 4
    assert len(inspect.getdoc(type(head)) or "") > 20


def test_raw_becomes_finite_chroma_in_lab_units(head):
    raw = raw_of(head)
    ab = head.decode(raw)
    assert ab.shape == (2, 2, 3, 5)
    assert ab.dtype == torch.float32
    assert ab.isfinite().all()
    assert ab.abs().max() < 128


def test_controls_at_their_values_change_nothing(head):
    raw = raw_of(head)
    controls = {k: v.to(device()) for k, v in head.controls().items()}
    torch.testing.assert_close(head.decode(raw, **controls), head.decode(raw))
    outputs = head.outputs(raw, **controls)
    assert next(iter(outputs)) == "ab"
    assert all(v.shape[0] == 2 and v.shape[2:] == (3, 5) for v in outputs.values())


def test_pictures_are_decoded_apart(head):
    raw = raw_of(head)
    together = head.decode(raw)
    torch.testing.assert_close(together, torch.cat([head.decode(one[None]) for one in raw]))


def test_options_can_be_set_and_are_kept(head):
    for name, value in head.options().items():
        head.set_option(name, value * 0.5)
        assert head.options()[name] == value * 0.5


def test_a_gradient_reaches_every_parameter(head):
    head.decode(raw_of(head)).sum().backward()
    assert all(p.grad is not None for p in head.parameters())
