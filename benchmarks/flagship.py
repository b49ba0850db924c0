"""What makes the flagship's training fast on a processor, one thing at a time.

    OMP_NUM_THREADS=1 python benchmarks/flagship.py [--crops 128 192] [--batch 32] [--steps 6]

Each row is a training step of `colornet_lite_cross` (untrained weights; speed does not depend on
them) in bfloat16 on random crops: color conversion, forward, loss, backward, clipping, AdamW.
Each is measured in a process of its own, as a training is one: memory that another step has left
behind would change the result. The median of `--steps` steps counts. Photos per second are of
processor time, of one thread.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from colorizer import create_loss, create_model
from colorizer.color.tensors import Prediction, Target, rgb_to_lab
from colorizer.config import OptimizerSettings
from colorizer.models.convolutions import EncoderConv2d
from colorizer.support.allocator import keep_freed_memory
from colorizer.training.optimizer import create_optimizer

ROWS: dict[str, dict[str, Any]] = {
    "frozen, as in the recipe": {"freeze": True},
    "... without folding": {"freeze": True, "fold": False},
    "... the loss at every place": {"freeze": True, "thin": 1},
    "... memory given back": {"freeze": True, "keep": False},
    "... both": {"freeze": True, "thin": 1, "keep": False},
    "strides 16 and 32 trained": {"frozen_stages": 3},
    "encoder trained": {},
    "... depthwise in bfloat16": {"depthwise": False},
}


def main() -> None:
    """Read the arguments, measure, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crops", type=int, nargs="+", default=[128, 192])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=6)
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} thread(s), load average {os.getloadavg()[0]:.1f}")
    print("| pixels | step | photos/s | of the recipe |")
    print("|---:|---|---:|---:|")
    fresh = multiprocessing.get_context("spawn")
    for crop in options.crops:
        base = 0.0
        for name in ROWS:
            with fresh.Pool(1) as process:
                rate = process.apply(measure, (name, crop, options.batch, options.steps))
            base = base or rate
            print(f"| {crop} | {name} | {rate:.1f} | {rate / base:.2f} |", flush=True)


def measure(name: str, crop: int, batch: int, steps: int) -> float:
    """Photos per second of processor time, in this process."""
    row = dict(ROWS[name])
    if row.pop("keep", True):
        keep_freed_memory()
    run = step_of(crop, batch, **row)
    run()
    seconds = []
    for _ in range(steps):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return batch / statistics.median(seconds)


def step_of(
    crop: int,
    batch: int,
    freeze: bool = False,
    frozen_stages: int = 0,
    fold: bool = True,
    thin: int = 2,
    depthwise: bool = True,
) -> Callable[[], None]:
    """One training step, ready to run."""
    torch.manual_seed(0)
    model = create_model("colornet_lite_cross", freeze=freeze, frozen_stages=frozen_stages)
    model = model.to(memory_format=torch.channels_last).train()
    model.freeze_at(0.0)
    if not fold:
        model.unfold()
    for module in model.modules():
        if isinstance(module, EncoderConv2d) and not depthwise:
            module.full_precision = False
    loss = create_loss({"distribution": {"thin": thin}}).train()
    optimizer = create_optimizer(model, OptimizerSettings(), fused=True)
    rgb = torch.randint(0, 256, (batch, 3, crop, crop), dtype=torch.uint8)

    def step() -> None:
        L, ab = rgb_to_lab(rgb.float() / 255)
        with torch.autocast("cpu", torch.bfloat16):
            raw = model(L.contiguous(memory_format=torch.channels_last))
            total = loss(Prediction(L, raw, model.decode), Target(L, ab))
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


if __name__ == "__main__":
    main()
