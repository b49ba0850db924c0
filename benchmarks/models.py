"""Measure every model of the registry and write the table of docs/models.md.

    python benchmarks/models.py [--threads 1] [--runs 20] [--output docs/models.md]

Models are untrained: the numbers do not depend on the weights.
"""

import argparse
import inspect
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch.utils.flop_counter import FlopCounterMode

from colorizer.export import export
from colorizer.inference.network import Network
from colorizer.models import ColorModel, create_model, list_models
from colorizer.registry import MODELS

__all__ = ["main", "processor", "put", "table"]

SIZE = 256

TEXT = """\
{table}

- **Multiply-adds** are those of convolutions and matrix products for one {size}x{size} picture,
  counted by `torch.utils.flop_counter` from L to the raw output.
- **Stride**: input pixels per predicted pixel, each way. Chroma is smooth; it comes to full size
  later, along the edges of the lightness.
- **Sees**: the side of the square of input pixels that one predicted pixel depends on (of
  {size}x{size}, by its gradient, untrained); "all" where a global average reaches everything.
- **Latency** is from L to chroma, one {size}x{size} picture, through ONNX Runtime
  {ort} on {threads} thread{s} of {cpu}; the least and the median of {runs} runs after 3 to warm up
  (load average at the start: {load:.1f} on {cores} cores).
- **File** is the size of weights.safetensors, half precision."""


def main() -> None:
    """Read the arguments, measure, write the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "docs/models.md")
    args = parser.parse_args()
    header = ["model", "what", "parameters", "multiply-adds", "stride", "sees", "latency", "file"]
    rows = [header, ["---"] * 2 + ["---:"] * 6]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    for name in list_models():
        rows.append(measure(name, args.threads, args.runs))
        print(*rows[-1][:1], *rows[-1][2:], sep="  ", flush=True)
    text = TEXT.format(
        table=table(rows),
        size=SIZE,
        ort=onnxruntime.__version__,
        threads=args.threads,
        s="" if args.threads == 1 else "s",
        cpu=processor(),
        runs=args.runs,
        load=load,
        cores=os.cpu_count(),
    )
    put(args.output, "table", text)


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows as lines of Markdown."""
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def put(page: Path, mark: str, text: str) -> None:
    """Replace what stands in a page between `<!-- mark -->` and `<!-- end of mark -->`."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(f"<!-- {mark} -->\n")
    _, end, after = rest.partition(f"<!-- end of {mark} -->")
    if not (begin and end):
        raise SystemExit(f"{page} has no marks <!-- {mark} --> and <!-- end of {mark} -->")
    page.write_text(f"{before}{begin}{text}\n{end}{after}", encoding="utf-8")


def measure(name: str, threads: int, runs: int) -> list[str]:
    """One row of the table."""
    model = create_model(name).eval().requires_grad_(False)  # else the counter asks for gradients
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.full((1, 1, SIZE, SIZE), 50.0))
    with tempfile.TemporaryDirectory() as temporary:
        folder = export(model, Path(temporary) / name, settings={})
        least, median = latency(folder, threads, runs)
        size = (folder / "weights.safetensors").stat().st_size
    return [
        f"`{name}`",
        (inspect.getdoc(MODELS[name]) or "").splitlines()[0].rstrip("."),
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M",
        f"{counter.get_total_flops() / 2e9:.2f} G",
        str(model.head.stride),
        receptive_field(model),
        f"{1e3 * least:.0f} / {1e3 * median:.0f} ms",
        f"{size / 1e6:.1f} MB",
    ]


def latency(folder: Path, threads: int, runs: int) -> tuple[float, float]:
    """Least and median seconds from L to chroma."""
    network = Network(folder, threads)
    L = np.random.default_rng(0).uniform(0, 100, (SIZE, SIZE)).astype(np.float32)
    seconds = []
    for _ in range(3 + runs):
        start = time.perf_counter()
        network(L)
        seconds.append(time.perf_counter() - start)
    return min(seconds[3:]), statistics.median(seconds[3:])


def receptive_field(model: ColorModel) -> str:
    """How many input pixels a predicted one in the middle depends on, each way."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # residual blocks start closed
            torch.nn.init.ones_(module.weight)
    L = (100 * torch.rand(1, 1, SIZE, SIZE)).requires_grad_()
    raw = model(L)
    middle = raw.shape[-1] // 2
    raw[:, :, middle, middle].sum().backward()
    assert L.grad is not None
    rows = L.grad[0, 0].abs().sum(1).nonzero()
    reach = int(rows.max() - rows.min()) + 1
    return "all" if reach == SIZE else str(reach)


def processor() -> str:
    """The processor's name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
