"""Whole files and folders, also where something fails on the way, and what killed runs leave."""

import hashlib
import os
import stat
import time

import pytest

from colorizer.support import files
from colorizer.support.files import (
    remove_stale,
    sha256,
    temporary,
    whole,
    whole_folder,
    write_whole,
)
from tests.systems import needs_posix


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@needs_posix("modes of files")
def test_a_file_is_written_whole_and_replaced_whole(tmp_path):
    path = tmp_path / "a.txt"
    write_whole(path, "grün\n")
    assert path.read_bytes() == "grün\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()
    path.chmod(0o640)
    write_whole(path, b"\0\1")
    assert path.read_bytes() == b"\0\1"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert names(tmp_path) == ["a.txt"]
    assert sha256(path) == hashlib.sha256(b"\0\1").hexdigest()


@pytest.mark.parametrize("make", [whole, whole_folder])
def test_what_fails_leaves_all_as_it_was(tmp_path, make):
    def fail():
        with make(tmp_path / "a") as work:
            (work / "b" if work.is_dir() else work).write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert names(tmp_path) == []


def test_the_bytes_are_on_the_disk_before_the_name(tmp_path, monkeypatch):
    order = []
    sync, replace = os.fsync, files.Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (order.append("sync"), sync(handle)))
    monkeypatch.setattr(
        files.Path, "replace", lambda path, to: (order.append("name"), replace(path, to))
    )
    write_whole(tmp_path / "a", "a")
    assert order == ["sync", "name", "sync"]  # at last the folder


def test_a_folder_is_filled_and_its_mark_comes_last(tmp_path, monkeypatch):
    order = []
    folder = tmp_path / "f"
    with whole_folder(folder, last="mark") as work:
        (work / "mark").write_text("1")
        (work / "z").write_text("1")
    assert names(folder) == ["mark", "z"]
    replace = files.Path.replace
    monkeypatch.setattr(
        files.Path, "replace", lambda path, to: (order.append(to.name), replace(path, to))
    )
    (folder / "other").write_text("mine")
    with whole_folder(folder, last="mark") as work:
        (work / "mark").write_text("2")
        (work / "z").write_text("2")
        assert (folder / "mark").read_text() == "1"
    assert order == ["z", "mark"]
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "mark": "2",
        "z": "2",
        "other": "mine",
    }
    assert names(tmp_path) == ["f"]


@pytest.mark.skipif(files.fcntl is None, reason="there are no such locks on this system")
def test_only_what_no_process_holds_is_removed(tmp_path):
    own = f".colorizer-{files._machine()}-"
    (tmp_path / f"{own}0.png").write_text("of a killed run")
    (tmp_path / f"{own}1").mkdir()
    (tmp_path / f"{own}1" / "pixels").write_text("of a killed run")
    (tmp_path / "photo.png").write_text("mine")
    with (
        temporary(tmp_path / "a.png", ".png") as file,
        temporary(tmp_path / "b", folder=True) as folder,
    ):
        remove_stale(tmp_path)
        assert names(tmp_path) == sorted([file.name, folder.name, "photo.png"])
    assert names(tmp_path) == ["photo.png"]


def test_what_another_machine_writes_stays_for_a_day(tmp_path, monkeypatch):
    """Which may hold a lock that is not seen here: file systems of networks keep them apart."""
    (tmp_path / ".colorizer-00000000-0.png").write_text("of another machine")
    remove_stale(tmp_path)
    monkeypatch.setattr(files, "fcntl", None)  # a system without such locks
    (tmp_path / f".colorizer-{files._machine()}-1.png").write_text("whose process may live")
    remove_stale(tmp_path)
    assert len(names(tmp_path)) == 2
    old = time.time() - 90_000
    for path in tmp_path.iterdir():
        os.utime(path, (old, old))
    remove_stale(tmp_path)
    assert names(tmp_path) == []


def _umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask


@pytest.mark.parametrize("move", ["rename", "replace"])
@pytest.mark.parametrize("failing", range(3))
def test_a_folder_whose_files_cannot_all_be_replaced_is_as_it_was(
    tmp_path, monkeypatch, move, failing
):
    """The file that makes it whole was deleted, and the new one went with the hidden folder."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("a", "b", "mark"):
        (folder / name).write_text(f"old {name}")
    plain, count = getattr(type(folder), move), iter(range(100))

    def refuse(self, target):
        if next(count) == failing:
            raise PermissionError("in use")
        return plain(self, target)

    def fill():
        with whole_folder(folder, last="mark") as work:
            for name in ("a", "b", "c", "mark"):
                (work / name).write_text(f"new {name}")
            monkeypatch.setattr(type(folder), move, refuse)

    with pytest.raises(PermissionError):
        fill()
    monkeypatch.undo()
    assert {p.name: p.read_text() for p in folder.iterdir()} == {
        name: f"old {name}" for name in ("a", "b", "mark")
    }
    assert names(tmp_path) == ["model"]
