"""Reference photos: what they lend, those that lend nothing, and all ways of giving them."""

import pickle
import shutil

import numpy as np
import pytest
import pyvips
from PIL import Image
from skimage import color, data

from colorizer.cli import main
from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.preview import Preview
from colorizer.inference.reference import ALIKE, UNLIKE, Borrowing, Shown, told_of
from tests.borrowing import HEADS, WIDTH, folder_with, weights
from tests.model_folder import write_model_folder

CAMERA = data.camera()[:301:2, :400:2]  # 151 x 200
PHOTO = data.chelsea()[:150, :200]
OTHER = data.coffee()[100:250, 200:400]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return folder_with(tmp_path_factory.mktemp("models") / "m", none=-30, own=-20)


@pytest.fixture(scope="module")
def unlike(tmp_path_factory):
    """A model to which nothing is like anything."""
    return folder_with(tmp_path_factory.mktemp("models") / "u", none=60)


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    place = tmp_path_factory.mktemp("photos")
    Image.fromarray(PHOTO).save(place / "cat.png")
    Image.fromarray(OTHER).save(place / "cup.png")
    Image.fromarray(CAMERA).save(place / "camera.png")
    return place


def drawn(rng: np.random.Generator, height: int, width: int) -> Shown:
    shape = height, width
    L = 100 * rng.random(shape)
    return Shown(rng.normal(size=(*shape, 3)), L, *rng.normal(0, 20, (2, *shape, 2)))


def test_a_lone_head_takes_the_mean_of_what_is_alike():
    """By the formula, of one cell at a time, in float64."""
    of = {name: value.astype(np.float64) for name, value in weights(3, own=-2).items()}
    rng = np.random.default_rng(1)
    asks, lends = drawn(rng, 5, 4), [drawn(rng, 4, 6), drawn(rng, 3, 3)]
    borrowing = Borrowing(of)
    lent = borrowing.lend(lends)
    found = borrowing.carry(lent, asks.features, asks.L, asks.predicted)

    def linear(name, values):
        return of[f"{name}.weight"] @ values + of[f"{name}.bias"]

    def inner(shown):
        told = told_of(shown.features, shown.L, shown.predicted)
        return [np.tanh(linear("place", v)) for v in told.reshape(-1, told.shape[-1])]

    def units(name, values):
        found = linear(name, values).reshape(HEADS, WIDTH)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    far = np.log1p(np.exp(of["far"]))
    cells = [
        (units("key", i), L, p, ab, -np.log(one.L.size))
        for one in lends
        for i, L, p, ab in zip(
            inner(one),
            one.L.ravel(),
            one.predicted.reshape(-1, 2),
            one.ab.reshape(-1, 2),
            strict=True,
        )
    ]
    says, moves, shares, owns = [], [], [], []
    every = zip(inner(asks), asks.L.ravel(), asks.predicted.reshape(-1, 2), strict=True)
    for i, L, own in every:
        query, none = units("query", i), linear("none", i)
        said, move, share = [], [], []
        for head in range(HEADS):
            score = np.array(
                [
                    np.exp(of["sharp"][head]) * query[head] @ key[head]
                    - far[head, 0] * ((L - light) / 25) ** 2
                    - far[head, 1] * ((own - p) ** 2).sum() / 25**2
                    + weight
                    for key, light, p, _, weight in cells
                ]
            )
            a = np.exp(score) / np.exp(score).sum()
            ab = sum(x * c[3] for x, c in zip(a, cells, strict=True))
            off = sum(x * (c[3] - c[2]) for x, c in zip(a, cells, strict=True))
            light = sum(x * c[1] for x, c in zip(a, cells, strict=True))
            spread = sum(x * (c[3] ** 2).sum() for x, c in zip(a, cells, strict=True))
            better = np.log(np.exp(score).sum()) - none[head]
            sizes = [spread - (ab**2).sum(), ((ab - own) ** 2).sum(), (off**2).sum()]
            share.append(1 / (1 + np.exp(-better)))
            said += [share[-1], *np.sqrt(np.array(sizes) + 1) / 20, (light - L) / 25, better / 8]
            move.append((ab - own, off))
        says.append(said)
        moves.append(move)
        shares.append(share)
        owns.append([*np.tanh(linear("own", i)), L / 50 - 1, np.linalg.norm(own) / 40])
    wanted, amounts = [], []
    for n in range(len(says)):
        judged = np.concatenate([says[n], np.mean(says, 0), owns[n]])
        for name in ("judge.0", "judge.2"):
            judged = np.maximum(linear(name, judged), 0)
        taken = np.exp(linear("judge.4", judged))
        taken = (taken / taken.sum())[1:].reshape(2, HEADS)
        amounts.append((taken * shares[n]).sum())
        wanted.append(
            sum(
                taken[kind, head] * shares[n][head] * moves[n][head][kind]
                for kind in (0, 1)
                for head in range(HEADS)
            )
        )
    trust = (np.mean(amounts) - UNLIKE) / (ALIKE - UNLIKE)
    assert 0 < trust < 1  # so that all of the formula is seen
    np.testing.assert_allclose(found.reshape(-1, 2), trust * np.array(wanted), atol=1e-3)


def test_colors_come_from_the_reference(folder):
    plain = Colorizer(folder, threads=1).colorize(CAMERA)
    blue = np.zeros((60, 80, 3), np.uint8) + np.uint8([40, 70, 180])
    blue[::2] //= 2
    found = Colorizer(folder, threads=1, reference=blue).colorize(CAMERA)
    ab, before = (color.rgb2lab(picture)[..., 1:].mean((0, 1)) for picture in (found, plain))
    assert ab[1] < before[1] - 5


def test_mirrored_pictures_and_references_make_no_difference(folder):
    square = CAMERA[:64, :64]  # as the network sees it, so that nothing is resampled
    here, there = (
        Colorizer(folder, threads=1, reference=photo) for photo in (PHOTO, PHOTO[:, ::-1].copy())
    )
    found = here.colorize(square).astype(int)
    assert abs(there.colorize(square) - found).max() <= 1
    assert abs(here.colorize(square[:, ::-1].copy())[:, ::-1] - found).max() <= 1


def test_nothing_alike_is_told_and_gives_the_very_bytes_of_no_reference(unlike, painted, tmp_path):
    plain, told = tmp_path / "plain.png", tmp_path / "told.png"
    Colorizer(unlike, threads=1).colorize_file(painted / "camera.png", plain)
    notes = Colorizer(unlike, threads=1, reference=PHOTO).colorize_file(
        painted / "camera.png", told
    )
    assert [note for note in notes if "nothing like the reference" in note]
    assert plain.read_bytes() == told.read_bytes()


def test_what_is_alike_is_noted_in_the_file(folder, painted, tmp_path):
    out = tmp_path / "out.png"
    several = [painted / "cat.png", OTHER]
    assert not Colorizer(folder, threads=1, reference=several).colorize_file(
        painted / "camera.png", out
    )
    assert b"reference cat.png, given as pixels" in out.read_bytes()


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        (CAMERA, "has no colors, so it is no reference"),
        (np.repeat(CAMERA[..., None], 3, 2), "has no colors, so it is no reference"),
        (PHOTO[:20], r"200x20 pixels, too few for a reference.*32 or more"),
        ([PHOTO, CAMERA], "has no colors"),
        ([], "reference is an empty list"),
        (b"none", "no picture of a known format"),
    ],
)
def test_what_lends_nothing_is_answered(folder, reference, sentence):
    with pytest.raises(ColorizerError, match=sentence):
        Colorizer(folder, threads=1, reference=reference)


def test_folders_that_never_learnt_say_so(tmp_path):
    bare = write_model_folder(tmp_path / "bare", "distribution")
    with pytest.raises(UsageError, match=r"no borrowing\.safetensors.*--learn references"):
        Colorizer(bare, threads=1, reference=PHOTO)
    Colorizer(bare, threads=1)
    other = folder_with(tmp_path / "other", learnt_for="0" * 64)
    with pytest.raises(ColorizerError, match=r"learnt for the weights 000.*--learn references"):
        Colorizer(other, threads=1, reference=PHOTO)
    with pytest.raises(UsageError, match="predicts no distribution"):
        Colorizer(write_model_folder(tmp_path / "ab"), threads=1, reference=PHOTO)


def test_it_is_read_once_and_goes_with_all_other_options(folder, painted, monkeypatch):
    path = str(painted / "cat.png")
    here = Colorizer(folder, threads=1, reference=path)
    found = here.colorize(CAMERA)
    again = pickle.loads(pickle.dumps(here))
    np.testing.assert_array_equal(again.colorize(CAMERA), found)
    monkeypatch.setattr("colorizer.inference.steered.read_references", None)
    vivid = here.with_options(vividness=1.3, warmth=0.2)
    assert vivid.look_key == here.look_key
    assert (vivid.colorize(CAMERA) != found).any()
    assert here.with_options(temperature=0.9).look_key != here.look_key
    gray = here.with_options(vividness=0.0).colorize(CAMERA)
    assert (gray == gray[..., :1]).all()
    assert here.with_options(reference=None).look_key == Colorizer(folder).look_key


@pytest.mark.parametrize("quality", ["fast", "best"])
def test_hints_on_it_are_exact(folder, quality):
    hint = {"at": [0.5, 0.5], "color": "#8a2f2b"}
    told = Colorizer(folder, threads=1, reference=PHOTO, hints=[hint], quality=quality)
    found = color.rgb2lab(told.colorize(CAMERA)[75, 100] / 255)[1:]
    wanted = color.rgb2lab(np.array([0x8A, 0x2F, 0x2B]) / 255)[1:]
    assert np.linalg.norm(found - wanted) < 3


def test_a_preview_shows_what_the_file_gets(folder, unlike):
    here = Colorizer(folder, threads=1, reference=PHOTO)
    preview = Preview(CAMERA)
    np.testing.assert_allclose(preview.colorize(here).astype(int), here.colorize(CAMERA), atol=1)
    assert preview.sentences(here) == ()
    never = Colorizer(unlike, threads=1, reference=PHOTO)
    assert "nothing like the reference" in Preview(CAMERA).sentences(never)[0]


def test_the_command_line_takes_several_for_a_folder(folder, painted, tmp_path, capsys):
    given = ["--reference", str(painted / "cat.png"), "--reference", str(painted / "cup.png")]
    photos = tmp_path / "in"
    photos.mkdir()
    for number in range(2):
        shutil.copy(painted / "camera.png", photos / f"{number}.png")
    out = tmp_path / "out"
    call = ["colorize", str(photos), "-o", str(out), "--model", str(folder)]
    assert main([*call, *given, "--result", "layer"]) == 0
    found = pyvips.Image.new_from_file(str(out / "1.png"))
    assert found.bands == 4
    assert b"reference cat.png, cup.png" in (out / "1.png").read_bytes()
    capsys.readouterr()
    assert main([*call, "--reference", str(painted / "camera.png")]) == 2
    assert "has no colors" in capsys.readouterr().err


@pytest.mark.parametrize("photo", [data.coffee, data.astronaut])
def test_another_view_of_the_same_thing_brings_colors_nearer(photo):
    """Of the shipped model: the left of a photo lends to its right, mirrored, smaller, darker."""
    whole = photo()
    width = whole.shape[1]
    asks, lends = whole[:, width // 3 :], whole[40:, : 2 * width // 3][::-2, ::-2]
    lends = (lends * 0.8).astype(np.uint8)[::-1].copy()
    truth = color.rgb2lab(asks)
    here = Colorizer("colornet_lite_cross", threads=1)
    errors = [
        color.deltaE_ciede2000(truth, color.rgb2lab(one.colorize(asks))).mean()
        for one in (here, here.with_options(reference=lends))
    ]
    assert errors[1] < 0.85 * errors[0]
