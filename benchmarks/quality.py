"""How close models come to the original colors, beside the gray baseline.

    python benchmarks/quality.py --data photos/ --models colornet18 runs/RUN/model [--size 192]
        [--sheet sheet.jpg --pictures 24]

Each photo is made gray (its CIE lightness is kept), colored at its own size by `Colorizer`, and
compared with the original. Means over photos: PSNR of 8-bit sRGB; mean squared error of sRGB in
0..1; root mean squared error of a and b, summed, in Lab units; mean chroma in Lab units, which is
not a score: the closer to the original's, the livelier. The sheet shows original, gray and each
model, for photos spread over the whole set.
"""

import argparse

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from colorizer import Colorizer, create_metrics
from colorizer.color import Picture, Target, lightness_to_gray, rgb_to_lab
from colorizer.data.photos import decode, find_photos

METRICS = ["psnr", "mse", "channelwise_l2"]


def picture(rgb: np.ndarray) -> Target:
    """(H, W, 3) uint8 as a batch of one."""
    return Target(*rgb_to_lab(torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None] / 255))


def gray_of(original: Picture) -> np.ndarray:
    """(H, W) uint8: the same lightness."""
    return np.round(lightness_to_gray(original.L)[0, 0].numpy() * 255).astype(np.uint8)


def thumbnail(rgb: np.ndarray, height: int = 120, width: int = 160) -> np.ndarray:
    image = Image.fromarray(rgb)
    image.thumbnail((width, height), Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", (width, height), "white")
    canvas.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return np.asarray(canvas)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="a folder of photos, or tar shards")
    parser.add_argument("--models", nargs="*", default=["colornet18"])
    parser.add_argument("--size", type=int, help="working size (default: each model's)")
    parser.add_argument("--short-side", type=int, default=1024, help="larger photos are shrunk")
    parser.add_argument("--sheet", help="a contact sheet to write")
    parser.add_argument("--pictures", type=int, default=24, help="photos on the sheet")
    parser.add_argument("--limit", type=int, help="look at so many photos only, evenly spread")
    args = parser.parse_args()

    photos = find_photos(args.data)
    if args.limit:
        photos = [photos[i] for i in np.linspace(0, len(photos) - 1, args.limit).astype(int)]
    shown = set(np.linspace(0, len(photos) - 1, args.pictures).astype(int).tolist())
    colorizers = {name: Colorizer(name, size=args.size) for name in args.models}
    rows = ["original", "gray", *colorizers]
    metrics = {name: create_metrics(METRICS) for name in rows}
    chroma = dict.fromkeys(rows, 0.0)
    columns = []
    for number, photo in enumerate(tqdm(photos, disable=None)):
        rgb = decode(photo, args.short_side)
        original = picture(rgb)
        gray = gray_of(original)
        results = {"original": rgb, "gray": np.repeat(gray[..., None], 3, axis=2)}
        results |= {name: model.colorize(gray) for name, model in colorizers.items()}
        for name, result in results.items():
            colored = picture(result)
            metrics[name].update(colored, original)
            chroma[name] += colored.ab.norm(dim=1).mean().item() / len(photos)
        if number in shown:
            columns.append(np.concatenate([thumbnail(result) for result in results.values()]))

    print(f"{len(photos)} photos\n")
    print("| | PSNR (dB) | MSE | ab error | mean chroma |\n|---|---:|---:|---:|---:|")
    for name in rows:
        values = {k: v.item() for k, v in metrics[name].compute().items()}
        scores = "- | - | -"
        if name != "original":
            scores = f"{values['psnr']:.2f} | {values['mse']:.5f} | {values['channelwise_l2']:.2f}"
        print(f"| {name} | {scores} | {chroma[name]:.1f} |")
    if args.sheet:
        per_line = 6
        lines = [
            np.concatenate(columns[i : i + per_line], axis=1)
            for i in range(0, len(columns), per_line)
        ]
        width = max(line.shape[1] for line in lines)
        lines = [
            np.pad(line, ((0, 12), (0, width - line.shape[1]), (0, 0)), constant_values=255)
            for line in lines
        ]
        Image.fromarray(np.concatenate(lines)).save(args.sheet, quality=90)


if __name__ == "__main__":
    main()
