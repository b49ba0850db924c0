"""A process that forks after a first picture is told so; one that forks before colors on."""

import multiprocessing
import subprocess
import sys

import pytest

if "fork" not in multiprocessing.get_all_start_methods():
    pytest.skip("this system does not fork", allow_module_level=True)

PROGRAM = """
import multiprocessing, sys
import numpy as np
import colorizer

GRAY = np.full((40, 50), 90, np.uint8)
HELD = []

def color(how):
    try:
        made = HELD[0] if how == "held" and HELD else colorizer.Colorizer("colornet18")
        return made.colorize(GRAY).shape
    except colorizer.ColorizerError as error:
        return str(error)

if __name__ == "__main__":
    if sys.argv[1] == "after":
        HELD.append(colorizer.Colorizer("colornet18"))
        HELD[0].colorize(GRAY)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for said in pool.map_async(color, ["held", "new"]).get(timeout=30):
            print(said)
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_fork_after_the_first_picture_is_an_error_and_no_hang(tmp_path, when):
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py", when],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said = done.stdout.splitlines()
    if when == "before":
        assert said == ["(40, 50, 3)"] * 2
    else:
        assert len(said) == 2
        assert all("was forked" in line and "'spawn'" in line for line in said)
