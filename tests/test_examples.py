"""Each public function has an example, and the examples are what they say."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest
import torch
from PIL import Image

import colorizer
from tests.drawn import landscape

LONG = {"train", "prepare", "evaluate"}  # example.py and the docs have theirs
FUNCTIONS = [
    name
    for name in colorizer.__all__
    if inspect.isfunction(getattr(colorizer, name)) and name not in LONG
]


@pytest.mark.parametrize("name", [*FUNCTIONS, "Settings"])
def test_the_example(name, tmp_path, monkeypatch):
    Image.fromarray(landscape(0, 60, 80)).convert("L").save(tmp_path / "old.png")
    monkeypatch.chdir(tmp_path)
    found = getattr(colorizer, name)
    module = importlib.import_module(found.__module__)
    space = vars(module) | {"torch": torch, "Path": Path}
    examples = [
        test for test in doctest.DocTestFinder().find(found, name, module, space) if test.examples
    ]
    assert examples, f"{name} has no example"
    runner = doctest.DocTestRunner()
    for test in examples:
        assert runner.run(test).failed == 0
