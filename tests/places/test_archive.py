"""Shards of every kind of member: what other readers find in them afterwards."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorizer.cli import main


@pytest.fixture
def colored(colorizer, tmp_path, capsys):
    """Colors a shard; gives the status, the new shard's path, and what was told."""

    def color(shard: Path) -> tuple[int, Path, str]:
        model = str(colorizer._network.folder)
        status = main(["colorize", str(shard), "-o", str(tmp_path / "out"), "--model", model])
        told = capsys.readouterr()
        return status, tmp_path / "out" / shard.name, told.out + told.err

    return color


def photo(path: Path, kind: str = "PNG") -> Path:
    Image.fromarray(np.tile(np.arange(40, 200, 4, dtype=np.uint8), (30, 1))).save(path, kind)
    return path


def by_gnu_tar(shard: Path) -> list[str]:
    """The members, as GNU tar finds them; it fails where it finds no header."""
    listing = ["tar", "-tvf", str(shard)]
    return subprocess.run(listing, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.skipif(shutil.which("tar") is None, reason="needs GNU tar")
@pytest.mark.parametrize("form", ["gnu", "posix", "ustar"])
def test_links_and_holes(colored, tmp_path, form):
    work = tmp_path / "work"
    (work / "deep").mkdir(parents=True)
    photo(work / "a.png")
    (work / "hard.png").hardlink_to(work / "a.png")
    (work / "soft.png").symlink_to("a.png")
    (work / "deep" / "up.png").symlink_to("../a.png")
    (work / "hard.bin").hardlink_to(work / "a.png")
    (work / "gone.png").symlink_to("nowhere.png")
    (work / "gone.txt").symlink_to("nowhere.txt")
    (work / "loop.txt").symlink_to("loop.txt")
    with (work / "sparse.bin").open("wb") as file:
        file.seek(1 << 20)
        file.write(b"end")
    (work / "z.png").write_bytes((work / "a.png").read_bytes())
    shard = tmp_path / "s.tar"
    order = "a.png hard.png soft.png deep hard.bin gone.png gone.txt loop.txt sparse.bin z.png"
    command = ["tar", f"--format={form}", "-cf", str(shard), "-C", str(work), *order.split()]
    subprocess.run([*command, *(["--sparse"] if form != "ustar" else [])], check=True)
    status, made, told = colored(shard)
    assert status == 1
    assert "5 colored, 0 done before, 1 failed" in told
    assert "s.tar/gone.png is a link to nowhere.png, which is not there" in told
    lines = by_gnu_tar(made)
    assert len(lines) == 10  # deep and deep/up.png; gone.png is left out
    with tarfile.open(made) as found:
        content = {m.name: found.extractfile(m) for m in found if m.isreg()}
        read = {name: file.read() for name, file in content.items()}
        assert found.getmember("gone.txt").issym()
        assert found.getmember("loop.txt").issym()
    names = ("a.png", "hard.png", "soft.png", "deep/up.png", "z.png")
    assert len({read[name] for name in names}) == 1
    assert b"AISystemUsed" in read["a.png"]
    assert read["sparse.bin"] == (work / "sparse.bin").read_bytes()
    assert read["hard.bin"] == (work / "a.png").read_bytes()


def test_odd_members(colored, tmp_path):
    shard = tmp_path / "s.tar"
    data = photo(tmp_path / "a.png").read_bytes()
    with tarfile.open(shard, "w", pax_headers={"comment": "of the user"}) as made:
        for kind in (tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE):
            about = tarfile.TarInfo(f"odd{kind.decode()}")
            about.type = kind
            made.addfile(about)
        for name, kind in (("c.png", tarfile.CONTTYPE), ("x.png", b"Z"), ("y.bin", b"Z")):
            about = tarfile.TarInfo(name)
            about.type, about.size = kind, len(data)
            made.addfile(about, io.BytesIO(data))
        about = tarfile.TarInfo("p.png")
        about.size, about.pax_headers = len(data), {"mtime": "1.5", "SCHILY.xattr.user.a": "b"}
        made.addfile(about, io.BytesIO(data))
    status, path, told = colored(shard)
    assert (status, "3 colored, 0 done before, 0 failed" in told) == (0, True)
    with tarfile.open(path) as found:
        assert found.getnames() == ["odd6", "odd3", "odd5", "c.png", "x.png", "y.bin", "p.png"]
        assert found.pax_headers["comment"] == "of the user"
        assert found.extractfile("y.bin").read() == data
        assert all(b"AISystemUsed" in found.extractfile(f"{n}.png").read() for n in "cxp")


def test_photos_that_would_get_one_name(colored, tmp_path):
    shard = tmp_path / "s.tar"
    data = photo(tmp_path / "a.png").read_bytes()
    with tarfile.open(shard, "w") as made:
        for name in ("a.heic", "a.png", "b.heic", "b.heif", "c.png"):
            about = tarfile.TarInfo(name)
            about.size = len(data)
            made.addfile(about, io.BytesIO(data))
    status, path, told = colored(shard)
    assert status == 1
    assert "s.tar/a.heic would become a.png, as another photo of the shard" in told
    with tarfile.open(path) as found:
        assert found.getnames() == ["a.png", "c.png"]


@pytest.mark.parametrize("cut", [0, 100, 700, 5000])
def test_what_is_no_whole_shard(colored, tmp_path, cut):
    shard = tmp_path / "s.tar"
    with tarfile.open(shard, "w") as made:
        made.add(photo(tmp_path / "a.png"), "a.png")
        big = tarfile.TarInfo("b.bin")
        big.size = 6000
        made.addfile(big, io.BytesIO(bytes(6000)))
    shard.write_bytes(shard.read_bytes()[:cut])
    status, path, told = colored(shard)
    assert status == 1
    assert "no whole, uncompressed tar shard" in told
    assert not path.exists()
