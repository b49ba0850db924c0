"""Cores, memory and cache of this process, and of a container that bounds them."""

import os
from pathlib import Path

import pytest
import torch

from colorizer.support import machine


def test_what_there_is_is_told():
    assert 1 <= machine.cores() <= (os.cpu_count() or 1)
    installed = machine.memory_installed()
    assert 10**7 < machine.memory_taken() < installed
    assert 0 < machine.available(torch.device("cpu")) <= installed < 10**14


def test_affinity_and_a_container_bound_the_cores(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr(machine, "_GROUP", tmp_path)
    assert machine.cores() == 16
    for told, cores in (("max 100000", 16), ("250000 100000", 3), ("10000 100000", 1)):
        (tmp_path / "cpu.max").write_text(told)
        assert machine.cores() == cores


def test_a_container_bounds_the_memory(tmp_path, monkeypatch):
    free, installed = machine.memory_left(), machine.memory_installed()
    monkeypatch.setattr(machine, "_GROUP", tmp_path)
    assert machine.memory_left() > 0.5 * min(free, installed)
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 300\n")
    assert (machine.memory_left(), machine.memory_installed()) == (400, 1000)
    (tmp_path / "memory.current").write_text("2000\n")
    assert machine.memory_left() == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.memory_left() > 10**6


@pytest.mark.skipif(os.name != "posix", reason="XDG_CACHE_HOME is of POSIX systems")
def test_the_cache_lies_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert machine.user_cache() == Path(tmp_path) / "colorizer"
