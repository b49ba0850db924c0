"""A photo's way through the rooms, as docs/architecture.md draws it: each is entered once."""

import re
import sys
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import colorizer

ROOT = Path(colorizer.__file__).parent
DRAWN = ("check_destination", "open", "to_file", "thumbnail", "resize")
DRAWN += ("image", "lightness", "enlarge")


@pytest.mark.parametrize("extension", [".jpg", ".png", ".tif", ".webp"])
def test_each_door_is_opened_once_and_in_order(colorizer, tmp_path, extension):
    photo = tmp_path / f"old{extension}"
    Image.fromarray(np.tile(np.arange(90, dtype=np.uint8), (60, 1))).save(photo)
    doors = []

    def watch(frame, event, argument):
        if event != "call" or frame.f_back is None:
            return
        to, came = (Path(f.f_code.co_filename) for f in (frame, frame.f_back))
        name = frame.f_code.co_name
        if to.is_relative_to(ROOT / "pictures") and came.is_relative_to(ROOT / "inference"):
            doors.append("" if name.startswith("_") else name)  # such as the end of a generator

    sys.setprofile(watch)
    try:
        colorizer.colorize_file(photo, tmp_path / f"new{extension}")
    finally:
        sys.setprofile(None)
    assert tuple(name for name, _ in groupby(filter(None, doors))) == DRAWN


def test_the_drawing_names_these_doors():
    text = Path(__file__).parents[2].joinpath("docs", "architecture.md").read_text()
    drawing = re.search(r"A photo's way.*?```\n(.*?)```", text, re.S)[1]
    places = [drawing.index(f"{name}") for name in DRAWN if name != "resize"]
    assert places == sorted(places)
