"""The private folder: names that every system stores, and room that is never exceeded."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colorizer.errors import ColorizerError
from colorizer.page.names import safe_name
from colorizer.page.working_folder import PrivateFolder


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("old photo.jpg", "old photo.jpg"),
        ("老" * 84 + ".tif", "老" * 65 + ".tif"),
        ("😀" * 119 + ".jpeg", "😀" * 48 + ".jpeg"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("\u2066x\u2069\u200f.png", "x.png"),
        ("CON", "_CON"),
        ("com1.jpg", "_com1.jpg"),
        ("Lpt¹ .tar.gz", "_Lpt¹ .tar.gz"),
        ("console.jpg", "console.jpg"),
        ("photo.jpg. .", "photo.jpg"),
        ("../../etc/passwd", "_._etc_passwd"),
        ("...", "photo"),
        ("", "photo"),
        ("\u202e", "photo"),
        ("می\u200cروم.jpg", "می\u200cروم.jpg"),
        ("👨\u200d👩.jpg", "👨\u200d👩.jpg"),
        ("x" * 300, "x" * 200),
        ("x." + "y" * 300, "x." + "y" * 198),
    ],
)
def test_names(name, expected):
    assert safe_name(name) == expected


@given(st.text(max_size=300))
def test_any_text_becomes_a_name(name):
    found = safe_name(name)
    assert 0 < len(found.encode()) <= 200
    assert found == found.strip(". ")
    assert not set(found) & set('<>:"/\\|?*\0')


def test_a_name_of_84_chinese_characters_is_a_file(tmp_path):
    folder = PrivateFolder(1000, tmp_path)
    file = folder.place(safe_name("老" * 84 + ".tif"))
    file.write_bytes(b"x")
    longer = folder.place(f"{file.stem}-colored.tif")
    longer.write_bytes(b"x")
    assert longer.name.endswith("-colored.tif")
    folder.close()


def test_two_that_are_written_at_once_share_the_room(tmp_path):
    folder = PrivateFolder(100, tmp_path)
    first, second = folder.place("a"), folder.place("b")
    folder.promise(first, 60)
    with pytest.raises(ColorizerError, match="remove some first"):
        folder.promise(second, 60)
    folder.promise(first, 90)  # it has become longer
    first.write_bytes(b"x" * 20)
    folder.settle(first)  # and shorter
    folder.promise(second, 60)
    folder.remove(second)
    folder.promise(second, 80)
    folder.close()


def test_what_nobody_needs_makes_room(tmp_path):
    folder = PrivateFolder(100, tmp_path)
    old = folder.place("old")
    old.write_bytes(b"x" * 90)

    def make_room() -> bool:
        there = old.exists()
        folder.remove(old)
        return there

    folder.make_room = make_room
    folder.promise(folder.place("new"), 50)
    assert not old.exists()
    folder.close()


def test_files_may_go_while_they_are_counted(tmp_path):
    folder = PrivateFolder(2**30, tmp_path)
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            file = folder.place("x")
            file.write_bytes(b"x")
            folder.remove(file)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for number in range(300):
            folder.promise(folder.path / "y" / "z", number)
    finally:
        stop.set()
        thread.join()
    folder.close()
