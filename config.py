"""The settings of colorize.py: overrides of the defaults, which colorizer/config.py documents."""

from colorizer.config import Settings

settings = Settings()

# What to learn from: a folder of photos (any depth), tar shards, or a pattern of shards.
settings.data.train = None  # such as "photos/"
settings.data.batch_size = 64

# What to train: any name of `colorizer list models`, with any keyword of its constructor.
settings.model = {"name": "colornet18", "head": "distribution", "pretrained": True}
settings.loss = {"distribution": 1.0}
settings.trainer.epochs = 100

# What --mode=inference uses and writes.
settings.inference.model = "colornet_lite_cross"
settings.inference.output = "colorizer/output/colored.jpg"
