"""What a metric is: numbers that say where they belong, and a mean over images."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric

from colorizer.color.tensors import LabBatch, as_batch
from colorizer.errors import UsageError

__all__ = ["ColorMetric", "ImageMean", "Number", "checked_pair", "named"]


@dataclass(frozen=True)
class Number:
    """One number that a metric gives.

    Attributes:
        name: the metric's own name, or `name_part` where it gives several numbers.
        title: for tables and plots.
        unit: such as "dB"; empty for a pure number.
        higher_is_better: None where the number describes and does not judge.
        per_image: whether it also has a value for a single image.
        main: whether it is in the first table, which a terminal shows too; all are in the second.
        plotted: whether the distribution over images is drawn, if it has values for them.
        ranked: whether images may be ranked by it, if it has values for them and judges.
        paired: whether models are compared by it image by image (sign tests).
    """

    name: str
    title: str
    unit: str = ""
    higher_is_better: bool | None = False
    per_image: bool = True
    main: bool = True
    plotted: bool = True
    ranked: bool = True
    paired: bool = False


def checked_pair(
    prediction: LabBatch | Tensor, target: LabBatch | Tensor
) -> tuple[LabBatch, LabBatch]:
    """Both sides as batches, see `as_batch`.

    Raises: UsageError unless they are as many pictures of the same size.
    """
    prediction, target = as_batch(prediction), as_batch(target)
    came, expected = tuple(prediction.L.shape), tuple(target.L.shape)
    if came != expected:
        raise UsageError(
            f"a metric got predictions of shape {came} for targets of shape {expected}; "
            "it compares pictures of the same number and size: resize one side first"
        )
    return prediction, target


class ColorMetric(Metric):
    """Base of all metrics: what they say of themselves.

    Subclasses name their `numbers`, the first of which is the metric's own.
    """

    full_state_update = False
    numbers: ClassVar[tuple[Number, ...]]
    order: ClassVar[int] = 100
    """Metrics are measured and shown in this order, from 0 on; equal ones by name."""
    weights: ClassVar[str | None] = None
    """The keyword that says where the weights of a network come from; without them the metric is
    left out of an evaluation that does not name it."""
    reads_scores: ClassVar[bool] = False
    """Whether it reads the head's output in place of colors: predictions of networks alone have it.
    Such a metric answers `features(raw, target)` and `of_pictures`, as `calibrated_nll` does."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "numbers" in cls.__dict__:
            cls.higher_is_better = cls.numbers[0].higher_is_better


class ImageMean(ColorMetric):
    """Base of metrics that follow from a mean over images: a sum and a count.

    The sum is kept in float32, which every device has, and so is what its rounding lost.

    Subclasses answer `per_image`; those whose numbers are not that mean itself also `finish`.
    """

    columns: ClassVar[int | None] = None
    """How many values `per_image` gives for each image; None: as many as `numbers`."""
    total: Tensor
    lost: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        zeros = torch.zeros(self.columns or len(self.numbers))
        self.add_state("total", zeros, dist_reduce_fx="sum")
        self.add_state("lost", zeros, dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @abstractmethod
    def per_image(self, prediction: LabBatch, target: LabBatch) -> Tensor:
        """What is averaged over images: (N, columns)."""

    def finish(self, mean: Tensor) -> Tensor:
        """The numbers that follow from a mean: (..., columns) -> (..., len(numbers))."""
        return mean

    def update(self, prediction: LabBatch | Tensor, target: LabBatch | Tensor) -> None:
        """Add a batch of pictures, or sRGB (N, 3, H, W); raises UsageError where sizes differ."""
        prediction, target = checked_pair(prediction, target)
        values = self.per_image(prediction, target)
        more = values.float().sum(0)
        total = self.total + more
        # Neumaier's sum: as good as float64, which Apple's GPUs do not have.
        larger = self.total.abs() >= more.abs()
        self.lost += torch.where(larger, self.total - total + more, more - total + self.total)
        self.total = total
        self.count += len(values)

    def compute(self) -> Tensor | dict[str, Tensor]:
        """The number, or several by name, float32."""
        return named(self.numbers, self.finish((self.total + self.lost) / self.count).float())


def named(numbers: Sequence[Number], values: Tensor) -> Tensor | dict[str, Tensor]:
    """One number as it is, several by name."""
    if len(numbers) == 1:
        return values[0]
    return {number.name: value for number, value in zip(numbers, values, strict=True)}
