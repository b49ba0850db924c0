"""What programs ask: the description that they are told, and a server that is for them alone."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from colorizer.cli import main
from colorizer.errors import UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.options import ServeOptions
from colorizer.page.serve import TOKEN
from tests.drawn import landscape
from tests.page.serving import client_of, served

ROOT = Path(__file__).parents[2]
SECRET = "0123456789abcdef-of-mine"


@pytest.fixture(scope="module")
def client(model, tmp_path_factory):
    place = tmp_path_factory.mktemp("private")
    with served(Colorizer(model, threads=1), place) as address, client_of(address) as client:
        yield client


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "old.png"
    Image.fromarray(landscape(1, 24, 32).mean(-1).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def programs(model):
    """Address of a server that is for programs alone, begun as the container begins it."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    arguments = json.loads(re.search(r"^CMD (\[.*\])$", dockerfile, re.M)[1])
    assert arguments[-2:] == ["--port", "8080"]
    process = subprocess.Popen(
        [sys.executable, "-m", "colorizer.cli", *arguments[:-1], "0", "--model", str(model)],
        env=os.environ | {TOKEN: SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    told = process.stdout.readline()
    assert SECRET not in told
    yield f"http://127.0.0.1:{re.search(r':([0-9]+)/api', told)[1]}/"
    process.terminate()
    process.wait(10)
    process.stdout.close()


def test_the_description_holds_what_the_server_takes(client, photo):
    """Each option is taken at the ends of its range and refused beyond them."""
    told = client.get("api").json()
    assert told["openapi"].startswith("3.1")
    asked = told["paths"]["/api/colorize"]["post"]
    parameters = {one["name"]: one["schema"] for one in asked["parameters"]}
    assert {"name", "format", "hints", "vividness", "temperature", "variant"} <= set(parameters)
    tried = 0
    for name, schema in parameters.items():
        good = list(schema.get("enum", []))
        good += [schema[end] for end in ("minimum", "maximum", "default") if end in schema]
        bad = ["no-such-value"] if {"enum", "minimum", "maximum"} & set(schema) else []
        bad += [schema["minimum"] - 1] if "minimum" in schema else []
        bad += [schema["maximum"] + 1] if "maximum" in schema else []
        bad += [schema["exclusiveMinimum"]] if "exclusiveMinimum" in schema else []
        for value in (*good, *bad):
            query = {name: json.dumps(value) if isinstance(value, bool) else value}
            answer = client.post("api/colorize", params=query, content=photo.read_bytes())
            assert answer.status_code == (200 if value in good else 400), (query, answer.text)
            tried += 1
    assert tried > 20


def test_a_server_for_programs_colors_under_any_name_and_has_no_page(programs, model, photo):
    own = {"Authorization": f"Bearer {SECRET}", "Host": "colors.example:9000"}
    with httpx.Client(base_url=programs, timeout=60, trust_env=False) as client:
        made = client.post("api/colorize?name=old.png", content=photo.read_bytes(), headers=own)
        assert made.status_code == 200, made.text
        assert client.get("api/about", headers=own).json()["model"]
        for path in ("", "static/main.js", "api/photos"):
            assert client.get(path, headers=own).status_code == 404
        for headers in ({}, {"Authorization": "Bearer x"}, {"Cookie": f"colorizer-8080={SECRET}"}):
            assert client.get("api/about", headers=headers).status_code == 403
        entry = client.get(f"{SECRET}/", headers={"Accept": "text/html"})
        assert entry.status_code == 403
        assert not entry.cookies
    out = photo.with_name("new.png")
    assert main(["colorize", str(photo), "-o", str(out), "--model", str(model)]) == 0
    assert made.content == out.read_bytes()


def test_the_container_looks_after_its_health(programs):
    line = re.search(r"^HEALTHCHECK .*CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.M)[1]
    code = json.loads(line)[2]
    port = programs.rstrip("/").rpartition(":")[2]

    def status(port):
        own = code.replace("8080", str(port))
        return subprocess.run([sys.executable, "-c", own], capture_output=True).returncode

    assert "8080" in code
    assert status(port) == 0
    assert status(1) != 0


@pytest.mark.parametrize("token", ["", "short", "with spaces in between", "x" * 201])
def test_a_token_that_others_could_guess_is_refused(model, monkeypatch, capsys, token):
    monkeypatch.setenv(TOKEN, token)
    assert main(["serve", "--api-only", "--model", str(model)]) == 2
    assert "COLORIZER_TOKEN is no token that others cannot guess" in capsys.readouterr().err


def test_the_schema_of_options():
    assert ServeOptions.schema("port") == {
        "description": "of the address; 0 takes a free one",
        "type": "integer",
        "minimum": 0,
        "maximum": 65535,
        "default": 0,
    }
    with pytest.raises(UsageError, match="there is no option 'prot'"):
        ServeOptions.schema("prot")
