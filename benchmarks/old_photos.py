"""How models do on old photographs: photos in color, degraded, beside the same ones clean.

    python benchmarks/old_photos.py PHOTOS --model MODEL [MODEL ...] [--alexnet WEIGHTS]

Each photo, at most `--side` pixels long, is degraded by `colorizer.data.degrade.Degradation` at
its default strengths, all of them (seed 0). A model sees the degraded lightness; right is the
photo's own chroma at that lightness. Gray stands beside it.
"""

import argparse

import numpy as np
import torch
from PIL import Image

from colorizer.color.tensors import Target, lab_to_rgb, rgb_to_lab
from colorizer.data.degrade import Degradation
from colorizer.data.photos import decode_photo, find_photos
from colorizer.evaluation.protocol import as_picture, gray_of
from colorizer.inference.colorizer import Colorizer
from colorizer.registry import METRICS


def main() -> None:
    """Read the arguments, measure, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos")
    parser.add_argument("--model", nargs="+", required=True)
    parser.add_argument("--alexnet", help="the network behind LPIPS: a file, or `imagenet`")
    parser.add_argument("--side", type=int, default=400)
    options = parser.parse_args()
    metrics = {name: METRICS.create(name) for name in ("psnr", "delta_e", "colorfulness")}
    if options.alexnet:
        metrics["lpips"] = METRICS.create("lpips", alexnet=options.alexnet)
    colorizers = {model: Colorizer(model) for model in options.model}
    rows: dict[tuple[str, str], list[list[torch.Tensor]]] = {}
    seed = torch.Generator().manual_seed(0)
    for photo in find_photos(options.photos):
        picture = Image.fromarray(decode_photo(photo, 100_000))
        picture.thumbnail((options.side, options.side))
        rgb = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255
        L, ab = rgb_to_lab(rgb)
        for kind, seen in (("clean", L), ("degraded", Degradation(probability=1.0)(rgb, seed))):
            target = as_picture(in_8_bits(Target(seen, ab)))
            gray = gray_of(seen)
            found = {"gray": np.repeat(gray[..., None], 3, axis=2)}
            found |= {model: c.colorize(gray) for model, c in colorizers.items()}
            for name, colored in found.items():
                with torch.inference_mode():
                    ours = as_picture(colored)
                    values = [m.per_image(ours, target)[0] for m in metrics.values()]
                rows.setdefault((kind, name), []).append(values)
    print(f"| photos | colors | {' | '.join(metrics)} |")
    print(f"|---|---|{'---:|' * len(metrics)}")
    for (kind, name), values in sorted(rows.items()):
        columns = zip(metrics.values(), zip(*values, strict=True), strict=True)
        means = [metric.finish(torch.stack(column).mean(0))[0].item() for metric, column in columns]
        print(f"| {kind} | {name} | {' | '.join(f'{mean:.4g}' for mean in means)} |")


def in_8_bits(picture: Target) -> np.ndarray:
    """(H, W, 3) uint8, sRGB."""
    rgb = lab_to_rgb(picture.L, picture.ab)[0].permute(1, 2, 0)
    return (rgb * 255).round().byte().numpy()


if __name__ == "__main__":
    main()
