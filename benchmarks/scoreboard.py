"""Every method of the zoo on one protocol: equal processor time, one core, one table.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/scoreboard.py --train PHOTOS --data OTHERS
        --work FOLDER --alexnet FILE --vgg16 FILE [--minutes 2] [--methods cic ddcolor]
        [--output docs/models.md]

Each network learns from scratch, by AdamW on squares of the photos of `--train`, for so many
minutes of processor time, with the loss of the recipe of its name where there is one, and
`distribution` else. Then `colorizer evaluate` measures all of them on photos of `--data`. A method
whose model folder is in `--work` already is not trained again; `--output` takes the table of all.
"""

import argparse
import gc
import json
import math
import os
import time
from itertools import count
from pathlib import Path
from typing import Any

import torch
from models import processor, put, table

from colorizer import Settings, create_loss, create_model, list_models
from colorizer.color.tensors import Target, rgb_to_lab
from colorizer.config import RECIPES, DataSettings, OptimizerSettings, size_as_trained
from colorizer.data.module import PhotoModule
from colorizer.evaluation import evaluate
from colorizer.evaluation.report.tables import cell
from colorizer.support.allocator import keep_freed_memory
from colorizer.training.optimizer import create_optimizer
from colorizer.training.precision import resolve_precision

METRICS = ["psnr", "delta_e", "lpips", "colorfulness", "calibrated_nll"]
COUNTS = "scoreboard.json"

TEXT = """\
| method | loss | parameters | squares | {heads} |
| --- | --- | {rules} |
{rows}

{minutes:g} minutes of processor time each, on one core of {cpu}, from scratch: {photos} photos,
squares of {crop} pixels out of {size}, batches of {batch} (**squares** is how many were seen), AdamW at
1e-3, warm-up and cosine. Measured by `colorizer evaluate` on {measured} photos of other sources,
each as it comes, without `colorizer calibrate`; the originals' own colorfulness is {real}. "As
shipped" is the model of that name that ships, for scale."""


def main() -> None:
    """Read the arguments, train what is missing, measure, write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", required=True, help="photos to learn from: folder or shards")
    parser.add_argument("--data", required=True, help="photos to measure on")
    parser.add_argument("--work", type=Path, required=True, help="folder for models and the cache")
    parser.add_argument("--alexnet", required=True, help="weights behind lpips")
    parser.add_argument("--vgg16", default="imagenet", help="weights behind perceptual losses")
    parser.add_argument("--minutes", type=float, default=2.0, help="of processor time, each")
    parser.add_argument("--crop", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--limit", type=int, default=250, help="photos to measure on")
    parser.add_argument("--methods", nargs="*", help="only these")
    parser.add_argument("--output", type=Path, help="a page with the scoreboard's marks")
    args = parser.parse_args()
    keep_freed_memory()
    data = DataSettings(
        train=args.train,
        size=3 * args.crop // 2,
        crop=args.crop,
        batch_size=args.batch,
        holdout=0.01,
    )
    data = replace(data, cache=str(args.work / "decoded"))
    photos = PhotoModule(data)
    known = methods(args.vgg16)
    for name in args.methods or known:
        if not (args.work / name / "config.yaml").is_file():
            learn(name, *known[name], photos, args)
    if args.output:
        put(args.output, "scoreboard", measure(known, photos, args))


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


def learn(
    name: str,
    options: dict[str, Any],
    spec: dict[str, Any],
    photos: PhotoModule,
    args: argparse.Namespace,
) -> None:
    """Train a method for its time, and write its model folder."""
    torch.manual_seed(0)
    model = create_model(**options).to(memory_format=torch.channels_last)
    loss = create_loss(spec)
    if loss.needs_prior:
        prior = torch.from_numpy(photos.color_prior())
        loss.set_prior(prior)
        model.head.set_prior(prior)
    settings = OptimizerSettings(learning_rate=1e-3)
    judges = [adversary.discriminator for adversary in loss.adversaries]
    optimizers = [create_optimizer(each, settings, fused=True) for each in (model, *judges)]
    rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    half = resolve_precision("auto", "cpu") == "bf16-mixed"
    squares, begun = 0, time.process_time()
    for rgb in (batch for epoch in count() for batch in photos.train_dataloader(epoch)):
        progress = (time.process_time() - begun) / (60 * args.minutes)
        if progress >= 1:
            break
        factor = min(1, progress / 0.05) * (1 + math.cos(math.pi * progress)) / 2
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * max(factor, 0.01)
        loss.set_progress(progress)
        L, ab = rgb_to_lab(rgb / 255)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            prediction = model.predict(L.contiguous(memory_format=torch.channels_last))
        target = Target(L, ab)
        total = loss(prediction, target)
        step(model, optimizers[0], total)
        for adversary, judge in zip(loss.adversaries, optimizers[1:], strict=True):
            step(adversary.discriminator, judge, adversary.discriminator_loss(prediction, target))
        squares += len(rgb)
    minutes = (time.process_time() - begun) / 60
    model.eval().save_pretrained(args.work / name, size=size_as_trained(photos.settings))
    note = {"squares": squares, "minutes": round(minutes, 2), "loss": round(total.item(), 4)}
    (args.work / name / COUNTS).write_text(json.dumps(note), encoding="utf-8")
    print(name, *note.items(), flush=True)
    del model, loss, optimizers
    gc.collect()


def step(network: torch.nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """One step of gradient descent."""
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()


def measure(known: dict[str, Any], photos: PhotoModule, args: argparse.Namespace) -> str:
    """The table, in Markdown."""
    there = {name: args.work / name for name in known if (args.work / name).is_dir()}
    shipped = {f"{name}, as shipped": name for name in ("colornet18", "colornet_lite_cross")}
    result = evaluate(
        {name: str(folder) for name, folder in (there | shipped).items()},
        args.data,
        metrics=METRICS,
        alexnet=args.alexnet,
        limit=args.limit,
        device="cpu",
    )
    rows = []
    for name in ("gray", *there, *shipped):
        values = [cell(result["models"][name].get(key, {}).get("mean")) for key in METRICS]
        about = ["", "", ""]
        if name in there:
            model, loss = known[name]
            note = json.loads((there[name] / COUNTS).read_text(encoding="utf-8"))
            size = sum(p.numel() for p in create_model(**model).parameters())
            about = [", ".join(loss), f"{size / 1e6:.2f} M", f"{note['squares']:,}"]
        rows.append([name if name not in known else f"`{name}`", *about, *values])
    heads = ["PSNR ↑", "ΔE ↓", "LPIPS ↓", "colorfulness", "calibrated NLL ↓"]
    photos.setup()
    return TEXT.format(
        heads=" | ".join(heads),
        rules=" | ".join(["---:"] * 7),
        rows=table(rows),
        minutes=args.minutes,
        cpu=processor(),
        photos=len(photos.train),
        crop=args.crop,
        size=photos.settings.size,
        batch=args.batch,
        measured=result["pictures"],
        real=cell(result["models"]["original"]["colorfulness"]["mean"]),
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
