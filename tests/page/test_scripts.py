"""The page's scripts hold to the rules of `eslint.config.js`."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_scripts_are_clean():
    eslint = ROOT / "node_modules/eslint/bin/eslint.js"
    if not (node := shutil.which("node")):
        pytest.skip("there is no node, so the page's scripts are not linted")
    if not eslint.exists():
        pytest.skip("eslint is not installed (npm ci), so the page's scripts are not linted")
    command = [node, str(eslint), "colorizer/page/static", "colorizer/site/static"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
