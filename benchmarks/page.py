"""Measure the page's server as a browser asks it: the table of docs/page.md.

    python benchmarks/page.py [--model NAME] [--megapixels 12 24 100] [--times 7]

A gray JPEG is sent, seen in color, hinted again and again, and looked at closely. CPU seconds are
those of the server's process; seconds on a clock count on a free machine alone.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import psutil
from PIL import Image
from skimage import data

from colorizer.options import DEFAULT_MODEL

__all__ = ["main"]


def main() -> None:
    """Read the arguments, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[12, 24, 100])
    parser.add_argument("--times", type=int, default=7)
    args = parser.parse_args()
    print("| megapixels | sent and seen | hint to new color | a view at 100 % | memory (MB) |")
    print("|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for megapixels in args.megapixels:
            photo = Path(folder) / "photo.jpg"
            side = round((megapixels * 1e6 / 1.5) ** 0.5)
            coffee = Image.fromarray(data.coffee()).convert("L")
            coffee.resize((round(1.5 * side), side), Image.Resampling.BICUBIC).save(photo)
            print(f"| {megapixels:g} | {' | '.join(measure(photo, args.model, args.times))} |")


def measure(photo: Path, model: str, times: int) -> list[str]:
    """What a server of its own takes for one photo: medians, clock and CPU milliseconds."""
    command = [sys.executable, "-m", "colorizer.cli", "serve", "--no-browser", "--model", model]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        address = next(found[0] for line in server.stdout if (found := re.search(r"http\S+", line)))
        process = psutil.Process(server.pid)
        token = address.rstrip("/").rpartition("/")[2]
        base = address.removesuffix(f"{token}/").removesuffix(token)
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=base, headers=headers, timeout=120, trust_env=False) as client:
            return _asked(client, process, photo, times)
    finally:
        server.terminate()
        server.wait()


def _asked(client: httpx.Client, server: psutil.Process, photo: Path, times: int) -> list[str]:
    sent: list[dict] = []

    def send() -> None:
        content = photo.read_bytes()
        told = client.post("api/photos", params={"name": "photo.jpg"}, content=content)
        sent.append(told.raise_for_status().json())
        client.post(f"api/photos/{sent[-1]['id']}/preview", json={}).raise_for_status()

    def hint() -> None:
        place = {"at": [0.3 + 0.4 * rng.random(), 0.3 + 0.4 * rng.random()], "color": "#8a2f2b"}
        hints.append(place)
        told = {"hints": {"version": 1, "hints": hints}}
        client.post(f"api/photos/{sent[-1]['id']}/preview", json=told).raise_for_status()

    def look() -> None:
        width, height = sent[-1]["width"], sent[-1]["height"]
        x, y = (int(rng.random() * (side - 1200)) for side in (width, height))
        told = {"box": [x, y, 1200, 800]}
        client.post(f"api/photos/{sent[-1]['id']}/region", json=told).raise_for_status()

    rng, hints = np.random.default_rng(0), []
    send()  # warm
    done = [_median(what, server, times) for what in (send, hint, look)]
    return [*done, f"{server.memory_info().rss / 1e6:.0f}"]


def _median(what: Callable[[], None], server: psutil.Process, times: int) -> str:
    clock, cpu = [], []
    for _ in range(times):
        before, begun = server.cpu_times(), time.perf_counter()
        what()
        after = server.cpu_times()
        clock.append(1e3 * (time.perf_counter() - begun))
        cpu.append(1e3 * (after.user + after.system - before.user - before.system))
    return f"{statistics.median(clock):.0f} / {statistics.median(cpu):.0f} ms"


if __name__ == "__main__":
    main()
