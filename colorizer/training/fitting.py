"""How many pictures one training step can take: tried on a GPU, counted elsewhere."""

import gc
from collections.abc import Callable

import torch

from colorizer.errors import ColorizerError
from colorizer.support.machine import available
from colorizer.training.live_bytes import LiveBytes

__all__ = ["bytes_per_step", "largest_batch", "search"]

_FREE = 0.1  # of a GPU's memory, left for fragments, validation, and the screen
_ALLOWED = 0.5  # of the system's memory: libraries' workspaces are not counted, others grow too
_COUNTED = 32  # pictures in the largest step that is counted rather than extrapolated to


def largest_batch(trial: Callable[[int], None], device: torch.device, most: int) -> int:
    """The largest number of pictures per step that fits into the memory of `device`.

    On CUDA steps are tried, larger and larger, until one runs out of memory or into the last tenth
    of it. Elsewhere running out would end the process, so the bytes of live tensors are counted
    in small steps and extrapolated, to at most half of the memory that the system has available.

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
    if device.type == "cuda":
        batch = search(lambda pictures: _fits_cuda(trial, device, pictures), most)
        _let_go()
    else:
        needed = bytes_per_step(trial, most)
        allowed = _ALLOWED * available(device)
        batch = search(lambda pictures: needed(pictures) <= allowed, most)
    if batch == 0:
        raise ColorizerError(
            f"not even one picture per step fits into the memory of {device}: lower data.crop, "
            "choose a smaller model, or end other programs that use this memory"
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


def bytes_per_step(trial: Callable[[int], None], most: int) -> Callable[[int], float]:
    """How many bytes of tensors are alive at once in a step, as a function of its pictures.

    A line through the last two counted steps. Steps are doubled, from 2, until each further picture
    takes the same number of bytes and all pictures together at least half of what is alive: in the
    small steps of a large model it is the optimizer that takes the most, which says nothing of what
    the network takes for more pictures. Steps of 32 are the largest; what is not settled by then is
    taken to grow as a whole.

    Args:
        trial: see `largest_batch`; is asked for no more than `most` pictures.
        most: at least 1.
    """

    def count(pictures: int) -> int:
        with LiveBytes() as live:
            trial(pictures)
        return live.peak

    smaller = max(1, min(2, most // 2))
    trial(smaller)  # what is made for good in the first step is no longer available afterwards
    before, each = count(smaller), 0.0
    if most == 1:
        return lambda pictures: before * pictures
    while True:
        larger = 2 * smaller
        now = count(larger)
        last, each = each, (now - before) / (larger - smaller)
        settled = abs(each - last) <= 0.05 * last and each * larger >= now / 2 > 0
        if settled or 2 * larger > min(most, _COUNTED):
            if not settled:
                each = max(each, now / larger)
            return lambda pictures: max(0, now + each * (pictures - larger))
        smaller, before = larger, now


def _fits_cuda(trial: Callable[[int], None], device: torch.device, pictures: int) -> bool:
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
