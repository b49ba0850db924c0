"""Every model with every head, and every loss: does it learn, export, and color a photo?

    python benchmarks/zoo.py --data photos/ [--steps 200] [--models colornet18 ...]
        [--heads ab ...] [--losses mse ...] [--vgg16 vgg16_features.safetensors]

Models are trained from scratch, with `distribution` for that head and `huber` for `ab`; losses with
colornet18. Printed for each: the loss on 64 fixed photos before and after, photos per second of the
training steps alone, and whether `colorizer colorize` colored a photo with the
exported model folder.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from colorizer import cli
from colorizer.color.tensors import Prediction, Target, rgb_to_lab
from colorizer.config import OptimizerSettings
from colorizer.data.augment import DRAWS, center_crops, random_crops
from colorizer.data.cache import decode_all
from colorizer.data.loader import BatchLoader
from colorizer.data.photos import find_photos
from colorizer.data.resident import ResidentPhotos
from colorizer.export import export
from colorizer.losses import WeightedSum, create_loss
from colorizer.models import ColorModel, create_model
from colorizer.registry import LOSSES, MODELS
from colorizer.training.optimizer import create_optimizer
from colorizer.training.start import load_teacher

MAIN_LOSS = {"distribution": "distribution", "ab": "huber"}
"""The loss that each head is compared with."""


@torch.no_grad()
def measure(model: ColorModel, loss: WeightedSum, rgb: torch.Tensor) -> float:
    """The loss on fixed crops, in evaluation mode."""
    model.eval()
    L, ab = rgb_to_lab(rgb / 255)
    with torch.autocast("cpu", torch.bfloat16):
        raw = model(L)
    value = loss(Prediction(L, raw, model.decode), Target(L, ab)).item()
    model.train()
    return value


def learn(
    model: ColorModel, spec: dict, photos: ResidentPhotos, steps: int, crop: int, batch: int
) -> tuple[float, float, float]:
    """The loss before and after, and photos per second."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    order = np.concatenate([rng.permutation(len(photos)) for _ in range(steps)])[: steps * batch]
    draws = rng.random((len(order), DRAWS))
    batches = BatchLoader(photos, order, draws, random_crops, crop, steps)
    loss = create_loss(spec)
    loss.set_teachers(load_teacher)
    optimizer = create_optimizer(model, OptimizerSettings())
    judges = [
        (adversary, create_optimizer(adversary.discriminator, OptimizerSettings()))
        for adversary in loss.adversaries
    ]
    chosen = np.arange(min(64, len(photos)))
    fixed = photos.crops(chosen, center_crops(photos.sizes[chosen]), crop)
    before, started = measure(model, loss, fixed), time.perf_counter()
    for rgb in batches:
        L, ab = rgb_to_lab(rgb / 255)
        with torch.autocast("cpu", torch.bfloat16):
            raw = model(L)
        prediction, target = Prediction(L, raw, model.decode), Target(L, ab)
        value = loss(prediction, target)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        for adversary, judge in judges:
            judge.zero_grad()
            adversary.discriminator_loss(prediction, target).backward()
            judge.step()
    speed = len(order) / (time.perf_counter() - started)
    return before, measure(model, loss, fixed), speed


def colors(model: ColorModel, photo: Path) -> str:
    """Whether the exported model, through the command line, leaves a picture that is not gray."""
    with tempfile.TemporaryDirectory() as name:
        folder = export(model.eval(), Path(name) / "model", settings={})
        output = Path(name) / "out.png"
        if cli.main(["colorize", str(photo), "--model", str(folder), "-o", str(output)]):
            return "failed"
        spread = np.ptp(np.asarray(Image.open(output)).astype(int), axis=2).max()
        return "yes" if spread > 0 else "gray"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--crop", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    parser.add_argument("--heads", nargs="*", default=list(MAIN_LOSS))
    parser.add_argument("--losses", nargs="*", default=list(LOSSES))
    parser.add_argument("--vgg16", default="imagenet", help="a file, where there is no connection")
    args = parser.parse_args()
    photos = ResidentPhotos(decode_all(find_photos(args.data), 96, None))
    runs = [(name, head, {MAIN_LOSS[head]: 1.0}) for name in args.models for head in args.heads]
    for name in args.losses:
        head = "distribution" if name in ("distribution", "distillation") else "ab"
        options = {"vgg16": args.vgg16} if name in ("perceptual", "contrastive") else {}
        runs.append(("colornet18", head, {name: {"weight": 1.0, **options}}))
    print("| model | head | loss | before | after | photos/s | colors a photo |")
    print("|---|---|---|---:|---:|---:|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.png"
        Image.fromarray(photos[0].numpy()).convert("L").save(photo)
        for name, head, spec in runs:
            torch.manual_seed(0)
            model = create_model(name, head=head).to(memory_format=torch.channels_last)
            before, after, speed = learn(model, spec, photos, args.steps, args.crop, args.batch)
            figures = f"{before:.4g} | {after:.4g} | {speed:.0f} | {colors(model, photo)}"
            print(f"| `{name}` | {head} | {', '.join(spec)} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
