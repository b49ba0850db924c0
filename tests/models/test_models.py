"""The contract of a model, for every entry of the registry."""

import math
from functools import cache

import pytest
import torch
import torch.nn.functional as F

from colorizer.errors import UnknownNameError, UsageError
from colorizer.models import create_model, list_heads, list_models
from colorizer.models.decoders import Decoder, Upsample
from tests.device import device

HEADS = list_heads()
SIZES = ((64, 64), (96, 160), (61, 83))
HEAVY = {  # one head and one size in the default run; the rest is slow
    "colornet",
    "colornet18_cross",
    "colornet50",
    "colornet50_cross",
    "colornet121",
    "colornet121_cross",
    "colornet_vgg16_cross",
    "cic",
    "ddcolor",
    "icolorit",
}
TINY = [  # each kind of decoder on an encoder that is quick
    ("colornet", {"encoder": "test_resnet", "cross_connections": cross, "width": 16})
    for cross in (False, True)
] + [
    ("cic", {"width": 4}),
    ("icolorit", {"width": 16, "depth": 2}),
    ("ddcolor", {"encoder": "test_resnet", "width": 16, "queries": 5, "layers": 3}),
]


def light(name):
    """A model whose whole matrix is quick; one that is new counts as such."""
    return name not in HEAVY


def cases(*, heavy_too=False):
    """Models with options; of the heavy ones, one head in the default run if `heavy_too`."""
    for name, options in [(name, {}) for name in list_models()] + TINY:
        for head in HEADS:
            quick = light(name) or options or (heavy_too and head == "distribution")
            label = "-".join([name, *map(str, options.values()), head])
            marks = () if quick else pytest.mark.slow
            yield pytest.param(name, {**options, "head": head}, id=label, marks=marks)


def create(name, **options):
    return create_model(name, **options).to(device())


@cache
def evaluated(name, items):
    torch.manual_seed(0)
    return create(name, **dict(items)).eval()


def lightness(n, h, w, seed=0):
    L = 100 * torch.rand(n, 1, h, w, generator=torch.Generator().manual_seed(seed))
    return L.to(device())


def check_shapes(model, raw, n, h, w):
    s = model.head.stride
    assert raw.shape[0] == n
    assert raw.shape[2:] == (math.ceil(h / s), math.ceil(w / s))
    ab = model.decode(raw)
    assert ab.shape == (n, 2, *raw.shape[2:])
    assert ab.dtype == torch.float32
    assert ab.isfinite().all()


def check_gradients(model, n, h, w):
    model.train().zero_grad()
    raw = model(lightness(n, h, w))
    check_shapes(model, raw, n, h, w)
    (model.decode(raw).mean() + raw.square().mean()).backward()
    without = [k for k, p in model.named_parameters() if p.grad is None]
    assert not without
    assert all(p.grad.isfinite().all() for p in model.parameters())


def check_state_dict(name, options):
    torch.manual_seed(1)
    a = create(name, **options)
    torch.manual_seed(2)
    b = create(name, **options)
    b.load_state_dict(a.state_dict())
    L = lightness(1, 33, 40)
    with torch.no_grad():
        assert torch.equal(a.eval()(L), b.eval()(L))


def check_seed(name, options):
    outputs = []
    for _ in range(2):
        torch.manual_seed(3)
        with torch.no_grad():
            outputs.append(create(name, **options).eval()(lightness(1, 32, 32)))
    assert torch.equal(*outputs)


@torch.no_grad()
def check_batch(model):
    together = model(lightness(3, 40, 56))
    apart = torch.cat([model(L[None]) for L in lightness(3, 40, 56)])
    torch.testing.assert_close(together, apart, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "options"), list(cases(heavy_too=True)))
def test_one_pixel(name, options):
    model = evaluated(name, tuple(options.items()))
    with torch.no_grad():
        check_shapes(model, model(lightness(1, 1, 1)), 1, 1, 1)
    assert model.config["name"] == name
    assert model.config["head"] == model.head.name == options["head"]


@pytest.mark.parametrize(("name", "options"), list(cases()))
def test_gradient_reaches_every_parameter(name, options):
    model = create(name, **options)
    for (h, w), n in zip(SIZES, (3, 1, 1), strict=True):
        check_gradients(model, n, h, w)


@pytest.mark.parametrize("name", sorted(HEAVY & set(list_models())))
def test_gradient_reaches_every_parameter_of_a_heavy_model(name):
    model = evaluated(name, (("head", "distribution"),))
    check_gradients(model, 1, 61, 83)
    model.eval().zero_grad()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), list(cases()))
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_every_size_and_batch(name, options, n, size):
    check_gradients(create(name, **options), n, *size)


@pytest.mark.parametrize(("name", "options"), list(cases()))
def test_state_dict_is_the_whole_model(name, options):
    check_state_dict(name, options)


@pytest.mark.parametrize(("name", "options"), list(cases()))
def test_same_seed_same_model(name, options):
    check_seed(name, options)


@pytest.mark.parametrize(("name", "options"), list(cases()))
def test_pictures_of_a_batch_are_independent(name, options):
    check_batch(evaluated(name, tuple(options.items())))


def test_base_model_has_a_million_parameters():
    model = create_model("colornet18")
    assert 0.9e6 < sum(p.numel() for p in model.parameters()) < 1.1e6
    assert model.encoder.reductions[-1] == 8
    assert model.head.stride == 4


def test_constantnet_keeps_height_and_width():
    model = create_model("constantnet")
    assert model.head.stride == 1
    convolutions = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert all(m.stride == (1, 1) for m in convolutions)
    assert not any("Pool" in type(m).__name__ for m in model.modules())


def test_wrong_options_are_answered():
    with pytest.raises(UnknownNameError, match="did you mean 'colornet18'"):
        create_model("colornet19")
    with pytest.raises(UsageError, match="it takes head, pretrained"):
        create_model("colornet18", haed="ab")
    with pytest.raises(UnknownNameError, match="unknown head 'regression'; known: ab, dist"):
        create_model("colornet18", head="regression")


def test_upsampling_starts_as_nearest_neighbor():
    torch.manual_seed(0)
    up = Upsample(6, 5).eval()
    x = torch.randn(2, 6, 3, 4)
    y = up(x)
    assert y.shape == (2, 5, 6, 8)
    assert y.std() > 0
    torch.testing.assert_close(y, F.interpolate(y[..., ::2, ::2], scale_factor=2, mode="nearest"))


def test_decoder_says_which_strides_fit():
    with pytest.raises(UsageError, match="ends at stride 14"):
        Decoder([8], [14])
    with pytest.raises(UsageError, match="ends at stride 2"):
        Decoder([8], [2])
    with pytest.raises(UsageError, match="stage of stride 6 does not meet"):
        Decoder([8, 8], [6, 16], cross_connections=True)


def test_every_encoder_stage_reaches_the_decoder():
    decoder = Decoder([4, 5, 6, 7], [2, 4, 8, 16], width=8, cross_connections=True)
    features = [
        torch.randn(1, c, 64 // r, 64 // r, requires_grad=True)
        for c, r in zip((4, 5, 6, 7), (2, 4, 8, 16), strict=True)
    ]
    decoder(features).square().sum().backward()
    assert all(f.grad is not None and f.grad.abs().sum() > 0 for f in features)
