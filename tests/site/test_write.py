"""`colorizer site OUT`: what it writes, replaces and refuses."""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from colorizer.cli import main
from colorizer.errors import ColorizerError, UsageError
from colorizer.page import STATIC
from colorizer.site import runtime, write_site
from colorizer.site.write import OWN
from tests.model_folder import write_model_folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("models") / "tiny", "distribution")


def test_a_site_is_whole_and_speaks_of_no_other_place(model, tmp_path, capsys):
    out = tmp_path / "a" / "site"
    assert main(["site", str(out), "--model", str(model)]) == 0
    assert "python3 -m http.server -d" in capsys.readouterr().out
    names = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    page = (out / "index.html").read_text()
    for linked in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert linked in names
    told = json.loads((out / "model/about.json").read_text())
    for file in told["files"].values():
        assert (out / file["name"]).stat().st_size == file["size"]
    listed = json.loads(re.search(r"= (\{.*\});", (out / "sw.js").read_text())[1])
    rest = {"sw.js", "site.json"}
    assert set(listed["small"]) | set(listed["large"]) == names - rest
    for script in (*STATIC.glob("*.js"), *OWN.rglob("*.js")):
        text = script.read_text()
        assert not re.search(r"https?://(?!ns\.|www\.w3\.org|cv\.iptc|iptc\.org|purl\.org)", text)
    for name in re.findall(r'from "(\.[^"]+)"', (out / "static/engine.js").read_text()):
        assert (out / "static" / name).is_file()


def test_it_is_the_same_each_time_and_another_for_another_model(model, tmp_path):
    first, second = (write_site(tmp_path / name, model) for name in ("1", "2"))
    assert first == second
    same = (tmp_path / "1/sw.js").read_bytes()
    assert same == (tmp_path / "2/sw.js").read_bytes()
    other = write_model_folder(tmp_path / "other", "ab")
    write_site(tmp_path / "2", other)
    assert (tmp_path / "2/sw.js").read_bytes() != same
    assert json.loads((tmp_path / "2/model/about.json").read_text())["takes"] == []
    assert len(list((tmp_path / "2/model").iterdir())) == 3  # the other's weights are gone


def test_what_is_the_users_stays(model, tmp_path):
    out = tmp_path / "site"
    write_site(out, model)
    (out / "CNAME").write_text("example.org")
    (out / "static/mine").mkdir()
    (out / "static/mine/photo.txt").write_text("mine")
    write_site(out, model)
    assert (out / "CNAME").read_text() == "example.org"
    assert (out / "static/mine/photo.txt").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["site"]


def test_other_folders_are_refused(model, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds other files, such as notes\.txt"):
        write_site(tmp_path, model)
    with pytest.raises(UsageError, match="is a file"):
        write_site(tmp_path / "notes.txt", model)
    (tmp_path / "empty").mkdir()
    write_site(tmp_path / "empty", model)
    assert main(["site", str(tmp_path), "--model", str(model)]) == 2
    assert main(["site", str(tmp_path / "new"), "--model", "colornet19"]) == 2
    assert "colornet18" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_no_space_leaves_nothing(model, tmp_path, monkeypatch):
    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ColorizerError, match="cannot be written: No space left"):
        write_site(tmp_path / "site", model)
    assert list(tmp_path.iterdir()) == []


def test_the_runtime_is_the_one_that_is_named():
    digest = hashlib.sha256(runtime.wasm()).hexdigest()
    assert digest == "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"
    assert runtime.VERSION.encode() in runtime.script()
    assert gzip.decompress(runtime.packed_wasm()) == runtime.wasm()
    assert len(runtime.packed_wasm()) < 4e6
    assert "MIT" in " ".join(runtime.licenses().values())


@pytest.mark.slow
def test_the_runtime_is_that_of_npm(tmp_path):
    if not (npm := shutil.which("npm")):
        pytest.skip("there is no npm, so nothing is compared with its package")
    command = [npm, "pack", f"onnxruntime-web@{runtime.VERSION}", "--silent"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    with tarfile.open(next(tmp_path.glob("*.tgz"))) as archive:
        for name, content in ((runtime.SCRIPT, runtime.script()), (runtime.WASM, runtime.wasm())):
            file = archive.extractfile(f"package/dist/{name}")
            assert file is not None
            assert file.read() == content
