"""How fast training is, beside the loop that people write first.

    python benchmarks/training.py --data PHOTOS [--models colornet18 colornet_vgg16_cross]
        [--crops 128 256] [--photos 512] [--batch 64] [--ways resident streaming plain]
        [--compile] [--accelerator auto]
    python benchmarks/training.py --data PHOTOS --start

The photos are written once as JPEG files with a short side of 256 pixels, and every way trains on
these, in this run, one after the other:

resident, streaming: `colorizer train`, by its modes of `data.mode`; the second epoch counts, as the
    run's metrics.csv has it: with validation, logs and checkpoints.
plain: a loop over single files that are decoded in the main process (Pillow, scikit-image's Lab),
    batches of 32, float32, Adam, `loss.item()` at each step. The same network and loss.

`data alone` is the pipeline without a network; its share is that of its time in a step. On a GPU
`idle` is the share of a step in which no kernel runs, by the profiler. `arithmetic` is that of the
network's convolutions and products, forward and backward, over the peak that a matrix product of
4096 x 4096 reaches on the device in bfloat16.

--start measures instead how long all of the photos take from the start of `colorizer train` to its
first step: decoded first, then from the cache.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from skimage.color import rgb2lab
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

import colorizer.training.run as run
from colorizer import Settings, create_loss, create_model
from colorizer.color.tensors import Prediction, Target
from colorizer.data.augment import DRAWS, random_crops
from colorizer.data.cache import decode_all
from colorizer.data.loader import BatchLoader, default_workers
from colorizer.data.photos import decode_photo, find_photos
from colorizer.data.resident import ResidentPhotos
from colorizer.data.streaming import StreamedPhotos
from colorizer.training.callbacks import epoch_rows
from colorizer.training.task import ColorTask

SIDE = 256  # pixels, of the files
EPOCH = 50_000  # photos


def main() -> None:
    """Read the arguments, measure, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="a folder of photos, or tar shards")
    parser.add_argument("--models", nargs="+", default=["colornet18", "colornet_vgg16_cross"])
    parser.add_argument("--crops", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--ways", nargs="+", default=["resident", "streaming", "plain"])
    parser.add_argument("--photos", type=int, default=512)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--start", action="store_true")
    parser.add_argument("--accelerator", default="auto")
    options = parser.parse_args()
    if options.start:
        starts(options.data)
        return
    run.export, run.check_exportable = lambda *_, **__: None, lambda model: None
    device = torch.device(
        "cuda" if options.accelerator != "cpu" and torch.cuda.is_available() else "cpu"
    )
    peak = matrix_peak(device)
    print(f"{run.hardware(device)}, matrix product {peak / 1e12:.2f} TFLOP/s (bfloat16)")
    print("| model | pixels | way | photos/s | epoch of 50,000 | data alone | share | arithmetic |")
    print("|---|---:|---|---:|---:|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        files = write_files(options.data, options.photos, Path(name) / "photos")
        for model, crop, way in itertools.product(options.models, options.crops, options.ways):
            if way == "plain":
                rate, alone = plain(model, files, crop, device), plain_data(files, crop)
            else:
                rate = ours(model, files, crop, way, options, Path(name))
                alone = our_data(files, crop, way, options.batch)
            arithmetic = flops(model, crop) * rate / peak
            print(
                f"| `{model}` | {crop} | {way} | {rate:.1f} | {duration(EPOCH / rate)} | "
                f"{alone:.0f} | {rate / alone:.1%} | {arithmetic:.0%} |",
                flush=True,
            )
        if device.type == "cuda":
            for model, crop in itertools.product(options.models, options.crops):
                share = idle(model, files, crop, options)
                print(f"`{model}` at {crop} pixels: the device is idle for {share:.1%} of a step")


def write_files(data: str, count: int, folder: Path) -> Path:
    """The first photos of the data as JPEG files with a short side of 256 pixels."""
    folder.mkdir()
    for i, photo in enumerate(find_photos(data)[:count]):
        picture = Image.fromarray(decode_photo(photo, SIDE))
        scale = SIDE / min(picture.size)
        size = tuple(max(SIDE, round(side * scale)) for side in picture.size)
        picture.resize(size, Image.Resampling.BICUBIC).save(folder / f"{i:06d}.jpg", quality=90)
    return folder


def starts(data: str) -> None:
    """Print the seconds from the start of the command to the first line of its log."""
    with tempfile.TemporaryDirectory() as name:
        for what in ("decoded", "from the cache"):
            command = [sys.executable, "-m", "colorizer.cli", "train", "--data.train", data]
            command += ["--data.cache", f"{name}/cache", "--trainer.output", f"{name}/{what}"]
            command += ["--model.pretrained", "false"]
            start = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            lines = [process.stdout.readline() for _ in range(3)]  # the last things before a step
            print(f"{what}: {time.perf_counter() - start:.1f} s; {lines[1].strip()}", flush=True)
            process.kill()
            process.wait()


def settings_of(
    model: str, files: Path, crop: int, way: str, options: argparse.Namespace, folder: Path
) -> Settings:
    settings = Settings(model={"name": model})
    if model != "constantnet":
        settings.model["pretrained"] = False
    settings.data.train, settings.data.mode = str(files), way
    settings.data.cache = str(folder / "cache")
    settings.data.size, settings.data.crop, settings.data.batch_size = SIDE, crop, options.batch
    settings.data.holdout = 1e-9  # one photo
    settings.trainer.epochs, settings.trainer.output = 2, str(folder / "runs")
    settings.trainer.accelerator, settings.trainer.compile = options.accelerator, options.compile
    return settings


def ours(*about) -> float:
    """Photos per second of `colorizer train`, in its second epoch."""
    settings = settings_of(*about)
    with redirect_stdout(sys.stderr):  # standard output is for the table
        folder = run.train(settings)
    seconds = float(epoch_rows(folder / "metrics.csv")[-1]["seconds"])
    return (len(find_photos(settings.data.train)) - 1) / seconds


def our_data(files: Path, crop: int, way: str, batch: int) -> float:
    """Photos per second of the pipeline alone."""
    found = find_photos(files)
    resident = way == "resident"
    photos = (
        ResidentPhotos(decode_all(found, SIDE, None)) if resident else StreamedPhotos(found, SIDE)
    )
    draws = np.random.default_rng(0).random((len(found), DRAWS))
    where = partial(random_crops, scale=(0.6, 1.0))
    loader = BatchLoader(
        photos,
        np.arange(len(found)),
        draws,
        where,
        crop,
        -(-len(found) // batch),
        workers=0 if resident else default_workers(),
    )
    start = time.perf_counter()
    deque(loader, maxlen=0)
    return len(found) / (time.perf_counter() - start)


class PlainPhotos(torch.utils.data.Dataset):
    """One file at a time, as one writes it first."""

    def __init__(self, files: Path, crop: int) -> None:
        self.paths, self.crop = sorted(files.iterdir()), crop

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        photo = Image.open(self.paths[index]).convert("RGB").resize((self.crop, self.crop))
        lab = torch.from_numpy(rgb2lab(np.asarray(photo))).permute(2, 0, 1).float()
        return lab[:1], lab[1:]


def plain_batches(files: Path, crop: int) -> torch.utils.data.DataLoader:
    return torch.utils.data.DataLoader(PlainPhotos(files, crop), batch_size=32, shuffle=True)


def plain_data(files: Path, crop: int) -> float:
    start = time.perf_counter()
    count = sum(len(L) for L, _ in plain_batches(files, crop))
    return count / (time.perf_counter() - start)


def plain(name: str, files: Path, crop: int, device: torch.device) -> float:
    """Photos per second of the plain loop, without its first step."""
    model, loss = create_model(name).to(device), create_loss({"distribution": 1.0}).to(device)
    optimizer = torch.optim.Adam(model.parameters())
    count, start = 0, 0.0
    for step, (L, ab) in enumerate(plain_batches(files, crop)):
        L, ab = L.to(device), ab.to(device)
        value = loss(Prediction(L, model(L), model.decode), Target(L, ab))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        value.item()
        count += len(L) if step else 0
        start = start or time.perf_counter()
    return count / (time.perf_counter() - start)


class ProfiledTask(ColorTask):
    """Looks at the steps from the fourth to the last of an epoch."""

    shares: ClassVar[list[float]] = []

    def on_train_batch_start(self, rgb: torch.Tensor, index: int) -> None:
        if index == 3:
            torch.cuda.synchronize()
            self.profile = profile(activities=[ProfilerActivity.CUDA])
            self.profile.__enter__()
            self.begun = time.perf_counter()
        super().on_train_batch_start(rgb, index)

    def on_train_batch_end(self, outputs: Any, rgb: torch.Tensor, index: int) -> None:
        super().on_train_batch_end(outputs, rgb, index)
        if index == len(self.trainer.datamodule.loader) - 1:
            torch.cuda.synchronize()
            seconds = time.perf_counter() - self.begun
            self.profile.__exit__(None, None, None)
            kernels = [e for e in self.profile.events() if e.device_type == DeviceType.CUDA]
            busy = sum(event.self_device_time_total for event in kernels) / 1e6
            self.shares.append(1 - busy / seconds)


def idle(model: str, files: Path, crop: int, options: argparse.Namespace) -> float:
    """Share of the steps in which the GPU computes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of(model, files, crop, "resident", options, Path(folder))
        settings.trainer.epochs = 1
        run.ColorTask = ProfiledTask
        with redirect_stdout(sys.stderr):
            run.train(settings)
        run.ColorTask = ColorTask
    return ProfiledTask.shares.pop()


def flops(name: str, crop: int) -> float:
    """Of a forward and a backward pass, for one photo."""
    model = create_model(name)
    with FlopCounterMode(display=False) as counter:
        model(torch.full((2, 1, crop, crop), 50.0)).float().mean().backward()
    return counter.get_total_flops() / 2


def matrix_peak(device: torch.device, side: int = 4096) -> float:
    """Operations per second of a large matrix product in bfloat16: the best of five."""
    a = torch.randn(side, side, device=device).bfloat16()
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        b = a @ a
        b[0, 0].item()
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best


def duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{seconds / 60:.1f} min"


if __name__ == "__main__":
    main()
