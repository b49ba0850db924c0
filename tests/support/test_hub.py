"""Whether the hub answers: at once, in time, or not at all."""

import socket
import threading
import urllib.request

import pytest
from huggingface_hub import constants

from colorizer.support import hub


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request.getproxies", dict)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def test_a_hub_that_listens_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
        assert hub.hub_answers()
    assert not hub.hub_answers()  # refused


def test_a_hub_that_keeps_silent_costs_the_timeout_only(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def silent(*_: object, **__: object) -> None:
        over.wait()
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", silent)
    assert not hub.hub_answers(timeout=0.05)  # else this test would not end
    over.set()


def test_offline_by_setting_and_proxies_are_not_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    def probe(*_: object, **__: object) -> None:
        raise AssertionError("probed")

    monkeypatch.setattr(socket, "create_connection", probe)
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"https": "http://proxy"})
    assert hub.hub_answers()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not hub.hub_answers()


@pytest.mark.parametrize(
    "variables",
    [{"no_proxy": "localhost"}, {"no_proxy": "hub.test", "https_proxy": "http://proxy"}],
)
def test_where_no_proxy_leads_there_the_hub_is_probed(monkeypatch, variables) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("urllib.request.getproxies", urllib.request.getproxies_environment)
    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.test")
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert not hub.hub_answers()


def test_the_cache_is_asked_for_each_name(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"model.safetensors": object(), "pytorch_model.bin": "/cache/pytorch_model.bin"}
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda _, name: known.get(name))
    found = hub.cached_file("timm/x", "absent", "model.safetensors", "pytorch_model.bin")
    assert str(found) == "/cache/pytorch_model.bin"
    assert hub.cached_file("timm/x", "absent") is None
