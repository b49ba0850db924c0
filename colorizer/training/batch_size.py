"""How many crops a step can take: tried on a GPU, a plain 64 elsewhere."""

import copy
import gc
from collections.abc import Callable

import torch

from colorizer.config import Settings
from colorizer.data.module import PhotoModule
from colorizer.errors import ColorizerError
from colorizer.training.optimizer import create_optimizer
from colorizer.training.task import ColorTask

__all__ = ["USUAL", "fit_batch", "largest_batch", "search"]

USUAL = 64
"""Squares per step where there is nothing to fill: more would only be slower to learn from."""

_FREE = 0.1  # of a GPU's memory, left for fragments, validation, and the screen
_AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def fit_batch(task: ColorTask, settings: Settings, data: PhotoModule) -> int:
    """The crops per step, never more than a device has photos.

    On CUDA the most of the largest size of the training that fit beside the photos, which are
    brought to the GPU first if that is where they are kept; elsewhere `USUAL`.

    Args:
        task: is copied for the trials, and not changed.
        settings: of the training.
        data: set up, for the device where the training takes place.

    Raises: ColorizerError if not even one fits.
    """
    most, device = max(1, data.count("train") // data.ranks), data.device
    if device.type != "cuda":
        return min(USUAL, most)
    data.bring()
    side = max(settings.data.crop, *settings.data.grow.values(), 0)
    dtype = _AUTOCAST.get(settings.trainer.precision)
    twin = copy.deepcopy(task).to(device).train()
    twin.loss.set_progress(1.0)
    optimizers = [create_optimizer(network, settings.optimizer) for network in twin.networks]

    def trial(count: int) -> None:
        for optimizer in optimizers:
            optimizer.zero_grad()  # of a trial that ran out of memory
        rgb = data.heaviest_batch(count, side)
        with torch.autocast(device.type, dtype, enabled=dtype is not None):
            prediction, target = twin.predict(rgb)
            twin.loss(prediction, target).backward()
            for adversary in twin.loss.adversaries:
                adversary.discriminator_loss(prediction, target).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    return largest_batch(trial, device, most)


def largest_batch(trial: Callable[[int], None], device: torch.device, most: int) -> int:
    """The largest number of pictures per step that fits into the memory of a CUDA device.

    Steps are tried, larger and larger, until one runs out of memory or into the last tenth of it.

    Args:
        trial: one whole step (forward, backward, optimizer) of that many pictures, which leaves
            nothing behind but what the first step makes for good, such as the optimizer's state;
            gradients that an earlier one left when memory ran out are dropped first.
        device: on which `trial` runs.
        most: what is never exceeded, such as the number of photos; at least 1.

    Returns:
        `most`, or else a multiple of 8, or else 1, 2 or 4; the same for the same free memory.

    Raises: ColorizerError when not even one picture fits.
    """
    batch = search(lambda pictures: _fits(trial, device, pictures), most)
    _let_go()
    if batch == 0:
        raise ColorizerError(
            f"not even one picture per step fits into the memory of {device}: lower data.crop, "
            "choose a smaller model, set data.mode to streaming, or end other programs that use "
            "this memory"
        )
    return batch


def search(fits: Callable[[int], bool], most: int) -> int:
    """The largest of 1, 2, 4, the multiples of 8, and `most` that fits; 0 if none does.

    What fits is doubled from 8, then looked for in halves of the range that is left; that a number
    fits is taken to mean that all smaller ones do.

    Args:
        fits: whether so many fit; asked once for any number, and for none above `most`.
        most: at least 1.
    """
    lowest = min(8, most)
    if not fits(lowest):
        return next((n for n in (4, 2, 1) if n < lowest and fits(n)), 0)
    good = lowest
    while good < most:
        tried = min(2 * good, most)
        if not fits(tried):
            break
        good = tried
    else:
        return good
    between = range(good + 8, tried, 8)
    while between:
        middle = len(between) // 2
        if fits(between[middle]):
            good, between = between[middle], between[middle + 1 :]
        else:
            between = between[:middle]
    return good


def _fits(trial: Callable[[int], None], device: torch.device, pictures: int) -> bool:
    """Whether a step runs, and leaves a share of the memory that is not others' free."""
    _let_go()
    free, total = torch.cuda.mem_get_info(device)
    available = free + torch.cuda.memory_reserved(device)
    torch.cuda.reset_peak_memory_stats(device)
    try:
        trial(pictures)
        torch.cuda.synchronize(device)
        taken = torch.cuda.max_memory_reserved(device)
    except RuntimeError as error:
        if not _out_of_memory(error):
            raise
        taken = total
    return taken <= available - _FREE * total


def _out_of_memory(error: RuntimeError) -> bool:
    """Also as cuBLAS and cuDNN say it."""
    said = ("out of memory", "ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in said)


def _let_go() -> None:
    """What a failed step left behind; not in its handler, whose traceback keeps the tensors."""
    gc.collect()
    torch.cuda.empty_cache()
