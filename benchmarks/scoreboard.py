"""Every method of the zoo on one protocol: equal processor time, one core, one table.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/scoreboard.py --train PHOTOS --data OTHERS
        --work FOLDER --alexnet FILE --vgg16 FILE [--minutes 1] [--methods cic ddcolor]
        [--output docs/models.md]

Each network learns from scratch, by AdamW on crops of the photos of `--train`, for so many
minutes of processor time, with the loss of the recipe of its name where there is one, and
`distribution` else; then it is measured on the middle of photos of `--data`. What a method came to
is kept in `--work`, and not done again; `--output` takes the table of all that are there.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from models import processor, put, table

from colorizer import Settings, create_loss, create_metrics, create_model, list_models, load_model
from colorizer.color.gamut import bins
from colorizer.color.tensors import LabBatch, Prediction, Target, rgb_to_lab
from colorizer.config import RECIPES, DataSettings, OptimizerSettings
from colorizer.data.augment import center_crops
from colorizer.data.cache import decode_all
from colorizer.data.module import PhotoModule
from colorizer.data.photos import evenly_spread, find_photos
from colorizer.data.resident import ResidentPhotos
from colorizer.evaluation.report.tables import cell
from colorizer.losses import WeightedSum
from colorizer.models import ColorModel
from colorizer.support.allocator import keep_freed_memory
from colorizer.training.optimizer import create_optimizer
from colorizer.training.precision import resolve_precision

NUMBERS = ["psnr", "delta_e", "lpips", "colorfulness", "calibrated_nll"]
SHIPPED = {f"{name}, as shipped": name for name in ("colornet18", "colornet_lite_cross")}

TEXT = """\
| method | loss | parameters | crops | PSNR ↑ | ΔE ↓ | LPIPS ↓ | colorfulness | calibrated NLL ↓ |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{rows}

{minutes:g} minute(s) of processor time each, on one core of {cpu}, from scratch: crops of {crop}
pixels out of {size} (**crops** is how many were seen), batches of {batch}, AdamW at 1e-3, warm-up
and cosine. Measured on the central crops of {measured} other photos, {size} pixels each way, each
method as it comes, without `colorizer calibrate`; the originals' own colorfulness is {real}. "As
shipped" is the model of that name that ships, at that size, for scale.{more}"""


def main() -> None:
    """Read the arguments, train and measure what is missing, write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", required=True, help="photos to learn from: folder or shards")
    parser.add_argument("--data", required=True, help="photos to measure on")
    parser.add_argument("--work", type=Path, required=True, help="folder for what is kept")
    parser.add_argument("--alexnet", required=True, help="weights behind lpips")
    parser.add_argument("--vgg16", default="imagenet", help="weights behind perceptual losses")
    parser.add_argument("--minutes", type=float, default=1.0, help="of processor time, each")
    parser.add_argument("--crop", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--limit", type=int, default=250, help="photos to measure on")
    parser.add_argument("--methods", nargs="*", help="only these")
    parser.add_argument("--output", type=Path, help="a page with the scoreboard's marks")
    args = parser.parse_args()
    keep_freed_memory()
    size, cache = 3 * args.crop // 2, args.work / "decoded"
    photos = PhotoModule(
        DataSettings(
            train=args.train,
            holdout=0.01,
            size=size,
            cache=str(cache),
            crop=args.crop,
            batch_size=args.batch,
        )
    )
    judges = evenly_spread(find_photos(args.data), args.limit)
    judges = ResidentPhotos(decode_all(judges, size, cache))
    every = np.arange(len(judges))
    rgb = judges.crops(every, center_crops(judges.sizes), size) / 255
    known = methods(args.vgg16)
    for name in args.methods or ["gray", *known, *SHIPPED]:
        kept = args.work / f"{name}.json"
        if kept.is_file():
            continue
        if name == "gray":
            row = measure(lambda L: Target(L, L.expand(-1, 2, -1, -1) * 0), rgb, args.alexnet)
            row["real"] = measure(None, rgb, args.alexnet)["colorfulness"]
        elif name in SHIPPED:
            row = measure(load_model(SHIPPED[name]).predict, rgb, args.alexnet)
        else:
            row = learnt(*known[name], photos, args, rgb)
        kept.write_text(json.dumps(row), encoding="utf-8")
        print(name, row, flush=True)
    if args.output:
        put(args.output, "scoreboard", page(known, args, len(rgb), size))


def methods(vgg16: str) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """What is compared: name -> the model's settings, the loss's."""
    found = {}
    for name in list_models():
        if name == "colornet":  # colornet18_cross by another name
            continue
        model, loss = {"name": name}, {"distribution": 1.0}
        if (RECIPES / f"{name}.yaml").is_file():
            recipe = Settings.load(name)
            model, loss = recipe.model | {"pretrained": False}, dict(recipe.loss)
            if "encoder" not in model:
                del model["pretrained"]
            if "perceptual" in loss:
                loss["perceptual"] = {**loss["perceptual"], "vgg16": vgg16}
        found[name] = model, loss
    # What ColorNet began as: its own network, and the squared error of chroma.
    found["colornet18-regression"] = {"name": "colornet18", "head": "ab"}, {"mse": 1.0}
    return found


def learnt(
    options: dict[str, Any],
    spec: dict[str, Any],
    photos: PhotoModule,
    args: argparse.Namespace,
    rgb: torch.Tensor,
) -> dict[str, Any]:
    """A method's numbers after its time of training."""
    torch.manual_seed(0)
    model = create_model(**options).to(memory_format=torch.channels_last)
    loss = create_loss(spec)
    prior = torch.from_numpy(photos.color_prior())
    loss.set_prior(prior)
    model.head.set_prior(prior)
    crops = learn(model, loss, photos, 60 * args.minutes)
    size = sum(p.numel() for p in model.parameters())
    return {"crops": crops, "size": size} | measure(model.eval().predict, rgb, args.alexnet)


def learn(model: ColorModel, loss: WeightedSum, photos: PhotoModule, seconds: float) -> int:
    """Train for so many seconds of processor time; answers how many crops were seen."""
    networks = [model, *(adversary.discriminator for adversary in loss.adversaries)]
    optimizers = [create_optimizer(each, OptimizerSettings(), fused=True) for each in networks]
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    rates = [group["lr"] for group in groups]
    half = resolve_precision("auto", "cpu") == "bf16-mixed"
    crops, begun = 0, time.process_time()
    for rgb in (batch for epoch in count() for batch in photos.train_dataloader(epoch)):
        progress = (time.process_time() - begun) / seconds
        if progress >= 1:
            break
        curve = min(1, progress / 0.05 + 0.01) * (1 + math.cos(math.pi * progress)) / 2
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * curve
        loss.set_progress(progress)
        L, ab = rgb_to_lab(rgb / 255)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            L = L.contiguous(memory_format=torch.channels_last)
            prediction = model.predict(L, **model.tell(ab))
        target = Target(L, ab)
        step(model, optimizers[0], loss(prediction, target))
        for adversary, judge in zip(loss.adversaries, optimizers[1:], strict=True):
            step(adversary.discriminator, judge, adversary.discriminator_loss(prediction, target))
        crops += len(rgb)
    return crops


def step(network: torch.nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """One step of gradient descent."""
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()


@torch.no_grad()
def measure(
    predict: Callable[[torch.Tensor], LabBatch] | None, rgb: torch.Tensor, alexnet: str
) -> dict[str, float]:
    """The numbers of a method, or of the originals themselves, on pictures (N, 3, S, S)."""
    names: dict[str, Any] = {key: {} for key in NUMBERS[:-1]} | {"lpips": {"alexnet": alexnet}}
    metrics, knowledge = create_metrics(names), create_metrics(NUMBERS[-1:])
    knows = False
    for some in rgb.split(10):
        L, ab = rgb_to_lab(some)
        target = Target(L, ab)
        prediction = predict(L) if predict else target
        metrics.update(prediction, target)
        if isinstance(prediction, Prediction) and prediction.raw.shape[1] == len(bins()):
            knowledge.update(prediction, target)
            knows = True
    values = metrics.compute() | (knowledge.compute() if knows else {})
    return {name: value.item() for name, value in values.items() if name in NUMBERS}


def page(known: dict[str, Any], args: argparse.Namespace, measured: int, size: int) -> str:
    """The table, in Markdown, and what it is of."""
    rows, gray = [], {}
    for name in ("gray", *known, *SHIPPED):
        if not (args.work / f"{name}.json").is_file():
            continue
        row = json.loads((args.work / f"{name}.json").read_text(encoding="utf-8"))
        gray = gray or row
        about = ["", "", ""]
        if name in known:
            about = [", ".join(known[name][1]), f"{row['size'] / 1e6:.2f} M", f"{row['crops']:,}"]
        values = [cell(row.get(key)) for key in NUMBERS]
        rows.append([f"`{name}`" if name in known else name, *about, *values])
    missing = [f"`{name}`" for name in known if not (args.work / f"{name}.json").is_file()]
    more = f"\nNot trained yet: {', '.join(missing)}." if missing else ""
    return TEXT.format(
        rows=table(rows),
        minutes=args.minutes,
        cpu=processor(),
        crop=args.crop,
        size=size,
        batch=args.batch,
        measured=measured,
        real=cell(gray.get("real")),
        more=more,
    )


if __name__ == "__main__":
    main()
