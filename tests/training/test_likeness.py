"""Learning what follows a hint: torch and NumPy agree, lessons are whole, a folder learns."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colorizer import ColorizerError, UsageError
from colorizer.cli import main
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.likeness import Likeness, eases, pairs, unit
from colorizer.model_folder import LIKENESS, WEIGHTS, writing
from colorizer.training.hinting import draw_lesson
from colorizer.training.learn_likeness import LikenessNet, learn_likeness
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
    path, notes = learn_likeness(place, str(photos), steps=3)
    assert path == place.resolve() / LIKENESS
    assert any("gray.png has no color" in note for note in notes)
    return place


def test_numpy_says_what_was_learnt() -> None:
    rng = np.random.default_rng(0)
    L, ab = 100 * rng.random((6, 7)), rng.normal(0, 20, (6, 7, 2))
    features = rng.normal(0, 1, (6, 7, 5))
    rows, columns, wanted = np.array([1, 5, 3]), np.array([6, 0, 3]), rng.normal(0, 30, (3, 2))
    net = LikenessNet(5, heads=3, width=4).eval()
    likeness = Likeness({name: value.numpy() for name, value in net.state_dict().items()})
    ours = likeness.carry(likeness.look(L, features), L, ab, rows, columns, wanted)
    change = wanted - ab[rows, columns]
    about = pairs(L, ab, rows, columns, change, eases(L, unit(features), rows, columns))
    told = [torch.tensor(v, dtype=torch.float32) for v in (features, L, about, change, ab)]
    with torch.no_grad():
        query, key, none = net.look(told[0].view(42, 5), told[1].view(42))
        at = torch.tensor(rows * 7 + columns)
        both = told[4].view(42, 2), told[4].view(42, 2)[at]
        theirs = net.carry(query, none, key[at], told[2].view(3, 42, -1), told[3], both)
    np.testing.assert_allclose(ours.reshape(42, 2), theirs.numpy(), atol=1e-3)


def test_a_lesson_contradicts_the_photo_on_its_thing_alone() -> None:
    L, ab = np.full((40, 40), 60.0), np.zeros((40, 40, 2))
    ab[5:20, 10:30] = (30, 10)
    ab[28:38, 2:12] = (30, 10)  # of the same color, but apart
    kinds = {"thing": 0, "all": 0}
    for seed in range(60):
        lesson = draw_lesson(L, ab, np.zeros_like(ab), np.random.default_rng(seed))
        assert lesson.said.shape == (len(lesson.rows), 2) == (len(lesson.columns), 2)
        np.testing.assert_allclose(lesson.said, lesson.wanted[lesson.rows, lesson.columns])
        changed = (lesson.wanted != ab).any(-1)
        for thing in (np.s_[5:20, 10:30], np.s_[28:38, 2:12]):
            assert changed[thing].all() or not changed[thing].any()
            if changed[thing].all() and lesson.weight.min() == 0:
                kinds["thing"] += 1  # the other one may follow or not
        kinds["all"] += not changed.any()
    assert min(kinds.values()) > 5


def test_a_folder_learns_and_says_so(made: Path, photos: Path, tmp_path: Path, capsys) -> None:
    hints = [{"at": [0.5, 0.5], "color": "#a03020"}]
    picture = landscape(7, 64, 80).mean(-1).astype(np.uint8)
    found = Colorizer(made, threads=1, hints=hints).colorize(picture)
    bare = tmp_path / "bare"
    shutil.copytree(made, bare)
    (bare / LIKENESS).unlink()
    assert (found != Colorizer(bare, threads=1, hints=hints).colorize(picture)).any()
    assert main(["likeness", str(bare), "--data", str(photos), "--steps", "3"]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(bare.resolve() / LIKENESS)
    assert "mean error" in told.err
    assert (bare / LIKENESS).read_bytes() == (made / LIKENESS).read_bytes()  # the same seed


def test_it_goes_where_its_weights_go(made: Path, tmp_path: Path) -> None:
    config = {"model": {"name": "tiny"}, "inference": {"size": 64}}
    for weights, kept in ((made / WEIGHTS, True), (tmp_path / "others", False)):
        (tmp_path / "others").write_bytes(b"others")
        with writing(tmp_path / "other", config, learnt=made) as work:
            shutil.copy(weights, work / WEIGHTS)
        assert (tmp_path / "other" / LIKENESS).is_file() == kept


def test_what_cannot_learn_is_told(made: Path, photos: Path, tmp_path: Path) -> None:
    place = write_model_folder(tmp_path / "ab", "ab")
    with pytest.raises(UsageError, match="takes no hints"):
        learn_likeness(place, str(photos))
    gray = tmp_path / "gray"
    gray.mkdir()
    shutil.copy(photos / "gray.png", gray)
    with pytest.raises(ColorizerError, match=r"none of 1 photos .*no color"):
        learn_likeness(made, str(gray))
    with pytest.raises(UsageError, match="steps"):
        learn_likeness(made, str(photos), steps=0)
