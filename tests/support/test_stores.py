"""Folders of stores: read and written whole, listed without a request for each file."""

import pickle
import time

import fsspec
import pytest

from colorizer.errors import ColorizerError, UsageError
from colorizer.support import stores
from colorizer.support.patterns import expand
from colorizer.support.retries import persist
from colorizer.support.stores import Store, fetch, is_remote, read, remote_name


@pytest.fixture(params=["disk", "memory", "s3"])
def place(request, tmp_path) -> str:
    """The address of an empty folder of each kind."""
    if request.param == "s3":
        return f"{request.getfixturevalue('bucket')}/folder"
    if request.param == "memory":
        fsspec.filesystem("memory").store.clear()
        return "memory://bucket/folder"
    return str(tmp_path / "folder")


def test_what_is_written_is_found_and_read(place, tmp_path):
    store = pickle.loads(pickle.dumps(Store(place + "/")))
    assert not store.exists()
    before = time.time() - 2
    for name in ("a.jpg", "deep/er/b ü#1.jpg", "deep/c.txt", "out/d.jpg"):
        store.write(name, name.encode())
    store.write("a.jpg", b"again")
    (tmp_path / "large").write_bytes(b"large")
    store.write("large.tar", tmp_path / "large")
    assert store.exists()
    found = dict(store.find(without=Store(f"{place}/out")))
    assert sorted(found) == ["a.jpg", "deep/c.txt", "deep/er/b ü#1.jpg", "large.tar"]
    assert all(before <= changed <= time.time() + 2 for changed in found.values())
    assert read(store.address("a.jpg")) == b"again"
    assert read(f"{place}/deep/er/b ü#1.jpg") == "deep/er/b ü#1.jpg".encode()
    fetch(store.address("large.tar"), tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"large"


def test_one_folder_in_another(tmp_path):
    assert Store(tmp_path / "a/b") in Store(tmp_path / "a")
    assert Store(tmp_path / "a") in Store(f"{tmp_path}/a/")
    assert Store(tmp_path / "ab") not in Store(tmp_path / "a")
    assert Store("memory://a/b") not in Store("/a")


def test_patterns(tmp_path):
    assert expand("s3://b/x_{008..011}.tar")[2:] == ["s3://b/x_010.tar", "s3://b/x_011.tar"]
    assert expand("{a,b}{1..2}") == ["a1", "a2", "b1", "b2"]
    assert expand("{odd}.jpg") == ["{odd}.jpg"]
    for name in ("b.tar", "a.tar", "c.txt"):
        (tmp_path / name).touch()
    assert expand(f"{tmp_path}/*.tar") == [f"{tmp_path}/a.tar", f"{tmp_path}/b.tar"]
    assert is_remote("gs://b/k")
    assert not is_remote("/tmp/a:b")
    assert [remote_name(url) for url in ("s3://b/c/d.jpg", "/c/d.jpg")] == ["c/d.jpg"] * 2


def test_addresses_that_are_none(bucket):
    with pytest.raises(UsageError, match=r"s4://b/a: unknown scheme s4; did you mean 's3'\?"):
        Store("s4://b/a")
    with pytest.raises(UsageError, match="names no bucket; give one"):
        Store("s3://")
    with pytest.raises(UsageError, match="needs a package of its own"):
        Store("oci://b/a")
    with pytest.raises(ColorizerError, match=r"^s3://nobucket/a\.jpg: there is no such"):
        read("s3://nobucket/a.jpg")
    with pytest.raises(ColorizerError, match=r"^s3://nobucket/in/a: there is no such bucket$"):
        Store("s3://nobucket/in").write("a", b"")
    with pytest.raises(ColorizerError, match=f"^{bucket}/a/b.jpg: there is no such file$"):
        read(f"{bucket}/a/b.jpg")
    with pytest.raises(ColorizerError, match=f"^{bucket}/none: there is no such file$"):
        list(Store(f"{bucket}/none").find())


class Flaky:
    """Fails so many times."""

    def __init__(self, times: int, error: Exception) -> None:
        self.left, self.error, self.calls = times, error, 0

    def __call__(self) -> str:
        self.calls += 1
        self.left -= 1
        if self.left >= 0:
            raise self.error
        return "done"


def test_what_is_passing_is_tried_again(monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    assert persist(Flaky(4, OSError("SlowDown")), "s3://b/k") == "done"
    assert len(pauses) == 4
    assert pauses[3] > 2 * pauses[0] * 4 / 3  # 0.5 to 1.5 times 1, 2, 4, 8 pauses
    with pytest.raises(ColorizerError, match=r"^s3://b/k: SlowDown \(tried 5 times\)$"):
        persist(Flaky(9, TimeoutError("SlowDown")), "s3://b/k")
    nobody = type("NoCredentialsError", (Exception,), {"__module__": "botocore.exceptions"})("none")
    for final in (PermissionError("Access Denied"), FileNotFoundError("gone"), nobody):
        action = Flaky(1, final)
        with pytest.raises(ColorizerError, match="s3://b/k: "):
            persist(action, "s3://b/k")
        assert action.calls == 1


def test_a_store_without_whole_writes_gets_them(monkeypatch):
    """Written under a hidden name, then moved: nothing halfway has the final one."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    monkeypatch.setattr(stores, "_ATOMIC", set())
    store = Store("memory://bucket/out")
    store.write("a/b.jpg", b"whole")
    assert {name: fs.cat(name) for name in fs.find("/bucket")} == {"/bucket/out/a/b.jpg": b"whole"}
    monkeypatch.setattr(type(fs), "mv", lambda *_, **__: 1 / 0)
    with pytest.raises(ColorizerError):
        store.write("a/b.jpg", b"cut off")
    assert fs.cat("/bucket/out/a/b.jpg") == b"whole"
    assert [name for name, _ in store.find()] == ["a/b.jpg"]  # the hidden one is not seen
