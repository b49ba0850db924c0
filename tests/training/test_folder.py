"""The folder of a run: one for each, and what a resumed one may change."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from colorizer import Settings
from colorizer.errors import UsageError
from colorizer.training.resume import CHANGEABLE, SETTINGS, claimed, resumed_settings


def settings(out: Path, name: str | None = None) -> Settings:
    made = Settings(model={"name": "colornet18"})
    made.trainer.output, made.trainer.name = str(out), name
    return made


def test_runs_that_begin_in_one_second_have_folders_of_their_own(tmp_path):
    def begin(_: int) -> Path:
        with claimed(settings(tmp_path), None) as run:
            (run / "mine").touch(exist_ok=False)
            return run

    with ThreadPoolExecutor(6) as pool:
        runs = list(pool.map(begin, range(6)))
    assert len(set(runs)) == 6


def test_a_run_may_have_a_name_which_is_taken_once(tmp_path):
    with claimed(settings(tmp_path, "mine"), None) as run:
        assert run == tmp_path / "mine"
        (run / "file").touch()
    taken = claimed(settings(tmp_path, "mine"), None)
    with pytest.raises(UsageError, match=r"there is a run .*mine: choose another trainer\.name"):
        taken.__enter__()


def test_what_fails_before_it_begins_leaves_no_folder(tmp_path):
    with pytest.raises(KeyError), claimed(settings(tmp_path), None):
        raise KeyError
    assert not list(tmp_path.iterdir())


@pytest.fixture
def run(tmp_path):
    plain = asdict(settings(tmp_path))
    del plain["inference"], plain["plugins"], plain["trainer"]["max_steps"]  # of an older version
    (tmp_path / SETTINGS).write_text(yaml.safe_dump(plain))
    return tmp_path


def test_a_resumed_run_takes_what_may_change_and_refuses_the_rest(run):
    assert resumed_settings(run, {}).trainer.epochs == 100
    after = resumed_settings(run, {"trainer": {"epochs": 3}, "optimizer.learning_rate": 0.01})
    assert (after.trainer.epochs, after.optimizer.learning_rate) == (3, 0.01)
    assert after.trainer.seed == 0
    assert resumed_settings(run, {"data": {"crop": 128}}).data.crop == 128  # as it was
    for changes in ({"data": {"crop": 96}}, {"model": {"name": "colornet50"}}, {"init": "x"}):
        with pytest.raises(UsageError, match=r"begun with another value.*--resume takes trainer"):
            resumed_settings(run, changes)


def test_what_may_change_are_settings():
    for name in CHANGEABLE:
        group, _, field = name.partition(".")
        assert hasattr(getattr(Settings(), group), field)
