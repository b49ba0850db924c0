"""What the package imports is what pyproject.toml declares, on the side that it declares it for."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from colorizer import extras
from tests.test_rooms import LAYERS, LIGHT, files

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
IMPORTED_AS = {"opencv-python-headless": "cv2", "pillow": "PIL", "pyyaml": "yaml"}
IMPORTED_AS["pillow-jxl-plugin"] = "pillow_jxl"
FOR_OTHERS = {"onnxscript", "rich", "tensorboard"}
"""What torch and Lightning import themselves: for the export, the progress and the log."""


CHOSEN = {"datasets"}
"""What a user installs who names it in the settings; where it is missing, an error says how."""


def declared(requirements: list[str]) -> set[str]:
    names = [re.split(r"[^\w.-]", each, maxsplit=1)[0].lower() for each in requirements]
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names} - {"colorizer"}


ALWAYS = declared(PROJECT["dependencies"])
EXTRAS = {name: declared(those) for name, those in PROJECT["optional-dependencies"].items()}
TOOLS = {"dev", "docs"}  # extras of programs that are run, not imported
OPTIONAL = set().union(*(those for name, those in EXTRAS.items() if name not in TOOLS))


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    """The packages of others that statements import."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - CHOSEN - {"colorizer", "__future__"}


def by_name(tree: ast.AST) -> set[tuple[str, str]]:
    """(package, extra) of what is imported by a call that knows which extra it is of."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            said = [each.value for each in node.args if isinstance(each, ast.Constant)]
            if node.func.id == "extra":
                found.add((said[0].partition(".")[0], said[1]))
            elif node.func.id == "plugin" and said:
                found.add((said[0], "formats"))
    return found


def trees(room: str) -> list[tuple[Path, ast.Module]]:
    there = filter(Path.exists, files(room))
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in there]


ROOMS = sorted(set().union(*LAYERS))


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_imported_is_declared(room: str) -> None:
    for path, tree in trees(room):
        anywhere = imported(ast.walk(tree))
        if room in LIGHT:
            assert imported(tree.body) <= ALWAYS, path
            assert anywhere <= ALWAYS | OPTIONAL, path
        else:
            assert anywhere <= ALWAYS | EXTRAS["train"], path
        for package, extra in by_name(tree):
            assert package in EXTRAS[extra], f"{path}: {package} is not of the extra {extra}"


def test_what_is_declared_is_imported() -> None:
    used: set[str] = set()
    for room in ROOMS:
        for _, tree in trees(room):
            used |= imported(ast.walk(tree)) | {package for package, _ in by_name(tree)}
    assert used == (ALWAYS | OPTIONAL) - FOR_OTHERS


def test_each_missing_package_of_training_is_told_with_its_extra() -> None:
    assert EXTRAS["train"] - ALWAYS == extras._EXTRA


def test_the_other_files_of_requirements_agree() -> None:
    (line,) = re.findall(r"^-e \.\[(.*)\]$", (ROOT / "requirements.txt").read_text(), re.M)
    assert set(line.split(",")) <= set(EXTRAS)
    (least, last) = re.findall(
        r"python(>=[\d.]+),<3\.(\d+)$", (ROOT / "environment.yml").read_text(), re.M
    )[0]
    assert least == PROJECT["requires-python"]
    assert f"Programming Language :: Python :: 3.{int(last) - 1}" == max(
        each for each in PROJECT["classifiers"] if ":: 3." in each
    )
