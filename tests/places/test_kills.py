"""Runs that are killed at random moments, over a store that is slow and fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("photos", "kills"), [(40, 3), pytest.param(300, 20, marks=pytest.mark.slow)]
)
def test_nothing_is_lost_and_nothing_done_twice(colorizer, tmp_path, photos, kills):
    folder = str(colorizer._network.folder)
    command = [sys.executable, "-m", "tests.places.kill_and_resume", folder]
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        [*command, str(tmp_path / "work"), str(photos), str(kills)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    found = json.loads(done.stdout)
    assert found["faults"] > 0
    rows = found.pop("rows")
    assert sum(rows.values()) == photos
    assert "failed" not in rows
    assert found["killed"] == kills
    assert (found["lost"], found["wrong"], found["again"]) == (0, 0, 0)
