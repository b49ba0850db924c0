"""Learning what references lend: torch and NumPy agree, pairs are what they should be."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colorizer import ColorizerError, UsageError
from colorizer.cli import main
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.reference import ALIKE, UNLIKE, Borrowing, Shown, told_of
from colorizer.model_folder import BORROWING, LIKENESS, WEIGHTS, writing
from colorizer.training.borrowing import BorrowingNet
from colorizer.training.learn_likeness import learn_likeness
from colorizer.training.pairing import ALBUM, ASKING, COARSE, OWN, draw_pair, relit, seen_of
from tests.drawn import landscape
from tests.model_folder import write_model_folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("photos")
    for number in range(3):
        Image.fromarray(landscape(number, 64, 80)).save(place / f"{number}.png")
    Image.fromarray(np.full((64, 64), 90, np.uint8)).save(place / "gray.png")
    return place


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A model folder that has learnt, a little."""
    place = write_model_folder(tmp_path_factory.mktemp("made") / "m", "distribution")
    path, notes = learn_likeness(place, str(photos), steps=3, learn="references")
    assert path == place.resolve() / BORROWING
    assert any("gray.png has no color" in note for note in notes)
    return place


def drawn(rng: np.random.Generator, height: int, width: int) -> Shown:
    shape = height, width
    L = (100 * rng.random(shape)).astype(np.float32)
    ab = rng.normal(0, 20, (2, *shape, 2)).astype(np.float32)
    return Shown(rng.normal(size=(*shape, 5)).astype(np.float32), L, *ab)


def test_numpy_says_what_was_learnt() -> None:
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    net = BorrowingNet(5, heads=3, width=4, hidden=6)
    with torch.no_grad():
        for values in net.parameters():
            values += 0.3 * torch.randn_like(values)
        net.judge[-1].bias[0] = -1.0
    borrowing = Borrowing({name: value.numpy() for name, value in net.state_dict().items()})
    asks, lends = drawn(rng, 6, 7), [drawn(rng, 5, 4), drawn(rng, 3, 8)]
    found = borrowing.carry(borrowing.lend(lends), asks.features, asks.L, asks.predicted)
    told, shown = [], []
    for one in (asks, *lends):
        about = told_of(one.features, one.L, one.predicted).reshape(one.L.size, -1)
        told.append((about, one.L.ravel(), one.predicted.reshape(-1, 2)))
    for one, about in zip(lends, told[1:], strict=True):
        weight = np.full(one.L.size, -np.log(one.L.size), np.float32)
        shown.append((*about, one.ab.reshape(-1, 2), weight))
    cells = [torch.from_numpy(np.concatenate(each)) for each in zip(*shown, strict=True)]
    with torch.no_grad():
        expected, share = net(*(torch.from_numpy(v) for v in told[0]), cells)
    trust = min(1.0, (share.mean().item() - UNLIKE) / (ALIKE - UNLIKE))
    assert trust > 0
    np.testing.assert_allclose(found.reshape(-1, 2), trust * expected.numpy(), atol=1e-3)


def test_pairs_are_of_a_photo_an_album_or_any() -> None:
    rng = np.random.default_rng(0)
    sights = []
    for number in range(12):  # of 6 photos in 3 folders; L tells which it is
        one = drawn(rng, 20, 24)
        L = np.full_like(one.L, number)
        about = (number // 2, str(number // 4))
        sights.append(seen_of(one.features, L, one.predicted, one.ab, about, rng))
    assert len(sights[0].coarse) == len(COARSE)
    counts = {"photo": 0, "album": 0, "other": 0}
    for _ in range(600):
        asks, lends = draw_pair(sights, rng)
        assert len(asks.L) <= ASKING
        mine, theirs = int(asks.L[0]), int(lends.L[0])
        same, near = mine // 2 == theirs // 2, mine // 4 == theirs // 4
        counts["photo" if same else "album" if near else "other"] += 1
        total = np.exp(lends.weight.astype(np.float64)).sum()
        assert min(abs(total - 1), abs(total - 2)) < 1e-3  # one reference, or two
    assert counts["photo"] > 600 * (OWN - 0.1)
    assert counts["album"] > 600 * (ALBUM - 0.15)
    assert counts["other"] > 600 * (1 - OWN - ALBUM - 0.15)


def test_another_light_leaves_things_where_they_are() -> None:
    rng = np.random.default_rng(1)
    L = np.tile(np.linspace(10, 90, 32, dtype=np.float32), (32, 1))
    for _ in range(20):
        found = relit(L, rng)
        assert found.shape == L.shape
        assert 0 <= found.min() < found.max() <= 100
        assert np.corrcoef(L.ravel(), found.ravel())[0, 1] > 0.95


def test_a_folder_learns_and_uses_it(
    made: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not (made / LIKENESS).is_file()
    Colorizer(made, threads=1, reference=landscape(0, 64, 80)).colorize(landscape(1, 64, 80))
    bare = write_model_folder(tmp_path / "bare", "distribution")
    call = ["likeness", str(bare), "--data", str(photos), "--steps", "3", "--learn", "references"]
    assert main(call) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(bare.resolve() / BORROWING)
    assert "mean error with a reference" in told.err
    assert (bare / BORROWING).read_bytes() == (made / BORROWING).read_bytes()  # the same seed


def test_it_goes_where_its_weights_go(made: Path, tmp_path: Path) -> None:
    config = {"model": {"name": "tiny"}, "inference": {"size": 64}}
    for weights, kept in ((made / WEIGHTS, True), (tmp_path / "others", False)):
        (tmp_path / "others").write_bytes(b"others")
        with writing(tmp_path / "other", config, learnt=made) as work:
            shutil.copy(weights, work / WEIGHTS)
        assert (tmp_path / "other" / BORROWING).is_file() == kept


def test_what_cannot_learn_is_told(made: Path, photos: Path, tmp_path: Path) -> None:
    place = write_model_folder(tmp_path / "ab", "ab")
    with pytest.raises(UsageError, match="takes no references"):
        learn_likeness(place, str(photos), learn="references")
    gray = tmp_path / "gray"
    gray.mkdir()
    shutil.copy(photos / "gray.png", gray)
    with pytest.raises(ColorizerError, match=r"none of 1 photos .*no color"):
        learn_likeness(made, str(gray), learn="references")
    with pytest.raises(UsageError, match="accepted are hints and references"):
        learn_likeness(made, str(photos), learn="films")
