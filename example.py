"""A tour of Colorizer on generated pictures: by function, then by class. Needs the training extra.

python3 example.py
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import colorizer
from colorizer.color.tensors import Prediction, Target, rgb_to_lab
from colorizer.config import DataSettings, Settings
from colorizer.losses import create_loss
from colorizer.metrics import create_metrics
from colorizer.models import create_model
from colorizer.registry import LOSSES


def draw_landscapes(folder: Path, count: int = 48) -> None:
    """Blue skies over green hills, of random size and brightness."""
    rng = np.random.default_rng(0)
    for number in range(count):
        height, width = rng.integers(64, 97, 2)
        y, x = np.mgrid[:height, :width]
        horizon = height * (0.5 + 0.2 * np.sin(x / width * rng.uniform(3, 9) + rng.uniform(0, 6)))
        hill = (y > horizon)[..., None]
        sky, grass = np.array([120, 170, 240]), np.array([60, 140, 40])
        grain = rng.normal(0, 6, (height, width, 1))
        picture = np.where(hill, grass, sky) * rng.uniform(0.7, 1.0) + grain
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / f"{number:03d}.png")


def by_function(folder: Path) -> None:
    """Settings in, a trained model folder out; then a photo in, a photo out."""
    settings = Settings(
        model={"name": "colornet18", "head": "ab", "pretrained": False},
        loss={"huber": 1.0},
        data=DataSettings(train=str(folder), size=64, crop=64, batch_size=16),
    )
    settings.trainer.epochs = 4
    settings.trainer.output = str(folder / "runs")
    run = colorizer.train(settings)

    colorizer.colorize_file(folder / "000.png", folder / "by-hand.png", model=run / "model")
    array = colorizer.colorize(folder / "000.png", model=run / "model", vividness=1.2)
    print(f"colored: {array.shape} {array.dtype}, mean color {array.mean((0, 1)).round()}")


def by_class(folder: Path) -> None:
    """The parts: models, losses and metrics from their factories, in a loop of one's own."""
    model = create_model("colornet18", head="distribution")
    loss = create_loss({"distribution": 1.0, "huber": {"weight": 0.1, "space": "ab"}})
    metrics = create_metrics(["psnr", "channelwise_l2"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    photos = [Image.open(path).resize((64, 64)) for path in sorted(folder.glob("0*.png"))[:16]]
    rgb = torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2) / 255
    L, ab = rgb_to_lab(rgb)
    for step in range(10):
        prediction, target = Prediction(L, model(L), model.decode), Target(L, ab)
        value = loss(prediction, target)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        print(f"step {step}: loss {value.item():.3f}")
    with torch.no_grad():
        metrics.update(Prediction(L, model.eval()(L), model.decode), target)
    print({name: round(value.item(), 2) for name, value in metrics.compute().items()})


def with_a_loss_of_ones_own() -> None:
    """A name and a class are all that a new loss needs; models and metrics likewise."""

    @LOSSES.register("saturation")
    class Saturation(torch.nn.Module):
        """Difference of the mean chroma, in Lab units."""

        def forward(self, prediction: Prediction, target: Target) -> torch.Tensor:
            return (prediction.ab.norm(dim=1).mean() - target.ab.norm(dim=1).mean()).abs()

    print("losses:", ", ".join(colorizer.list_losses()))
    print("built:", create_loss({"huber": 1.0, "saturation": 0.1}))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        draw_landscapes(Path(name))
        by_function(Path(name))
        by_class(Path(name))
    with_a_loss_of_ones_own()
