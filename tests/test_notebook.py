"""docs/notebook.ipynb, run from top to bottom as plain Python: its cells need no Jupyter."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


def run(cell: str, space: dict[str, Any]) -> Any:
    """Execute a cell; answers what it would show, the value of its last line."""
    *body, last = ast.parse(cell).body
    if not isinstance(last, ast.Expr):
        body, shown = [*body, last], ast.Constant(None)
    else:
        shown = last.value
    exec(compile(ast.Module(body, []), str(NOTEBOOK), "exec"), space)
    expression = ast.fix_missing_locations(ast.Expression(shown))
    value = eval(compile(expression, str(NOTEBOOK), "eval"), space)
    if isinstance(value, Image.Image):
        value.load()  # as showing it does, which also closes its file
    return value


def test_it_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert not any(cell.get("outputs") for cell in cells)
    space: dict[str, Any] = {"__name__": "notebook"}
    shown = [run(cell, space) for cell in code]
    assert sum(isinstance(each, Image.Image) for each in shown) == 4
    assert len(shown[2]) == 5  # colors
    assert shown[3]["uncertainty"] == (1, 1, 16, 20)
    table = capsys.readouterr().out
    assert "| gray |" in table
    assert "| mine |" in table
    found = space["result"]["models"]
    assert found["mine"]["delta_e"]["mean"] < 0.6 * found["gray"]["delta_e"]["mean"]


@pytest.mark.parametrize("page", ["README.md", "docs/extending.md"])
def test_it_is_told_of(page):
    assert "notebook.ipynb" in (NOTEBOOK.parents[1] / page).read_text(encoding="utf-8")
