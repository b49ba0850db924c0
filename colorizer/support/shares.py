"""Which share of the work falls to this process: told by a word, or by whoever started it."""

import os
import re
import zlib
from collections.abc import Mapping

from colorizer.errors import UsageError

__all__ = ["falls_to", "share_of"]

_NO_STEP = 0xFFFFFFF0  # the steps that Slurm itself numbers, such as that of a batch script

Share = tuple[int, int]  # which, from 1 on; and of how many


def share_of(part: str | None = None, environment: Mapping[str, str] = os.environ) -> Share:
    """Which share this process is to do, from 1 on, and of how many.

    Without `part` the environment tells, the first that is set of: RANK and WORLD_SIZE (torchrun,
    PyTorchJob); SLURM_ARRAY_TASK_ID with its MIN, COUNT and STEP (an array may start at any
    number), times SLURM_PROCID and SLURM_NTASKS within each task, if srun started it;
    JOB_COMPLETION_INDEX (Kubernetes) and JOB_COMPLETIONS, which Kubernetes does not set. Without
    any, all is one share.

    Args:
        part: "i/n", with i from 1 to n.
        environment: of the process.

    Raises:
        UsageError: `part` has another form; or the environment tells which share, but not of how
            many.
    """
    if part is not None:
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", part)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(f"shard is {part!r}; accepted is i/n with i from 1 to n, such as 1/4")
        return int(match[1]), int(match[2])

    def told(*names: str) -> list[int] | None:
        values = [environment.get(name, "") for name in names]
        return [int(value) for value in values] if all(map(str.isdecimal, values)) else None

    if counts := told("RANK", "WORLD_SIZE"):
        return _checked(counts[0], counts[1], "RANK", "WORLD_SIZE")
    index, count = told("SLURM_PROCID", "SLURM_NTASKS") or (0, 1)
    (started,) = told("SLURM_STEP_ID") or (_NO_STEP,)
    if started >= _NO_STEP and not index:  # a batch script: one process, whatever --ntasks says
        count = 1
    if array := told("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT"):
        task, least, tasks = array
        (step,) = told("SLURM_ARRAY_TASK_STEP") or (1,)
        index, count = (task - least) // max(1, step) * count + index, tasks * count
        return _checked(index, count, "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT")
    if count > 1:
        return _checked(index, count, "SLURM_PROCID", "SLURM_NTASKS")
    if one := told("JOB_COMPLETION_INDEX"):
        completions = told("JOB_COMPLETIONS")
        if not completions:
            raise UsageError(
                "JOB_COMPLETION_INDEX tells which share this is, but not of how many; set"
                " JOB_COMPLETIONS in the manifest to its `completions`, or give --shard 1/1 for all"
            )
        return _checked(one[0], completions[0], "JOB_COMPLETION_INDEX", "JOB_COMPLETIONS")
    return 1, 1


def falls_to(name: str, share: Share) -> bool:
    """Whether what has this name is in a share; each name is in exactly one.

    It follows from the name alone, so that processes need not talk, even if files come or go. Names
    that differ in their last number are spread evenly, by the golden ratio.
    """
    own, count = share
    if count == 1:
        return True
    number = _NUMBER.match(name)
    rest = name if number is None else f"{number[1]}#{name[number.end(2) :]}"
    encoded = rest.encode("utf-8", "surrogateescape")  # file names may be any bytes
    place = zlib.crc32(encoded) + _GOLDEN * int(number[2] if number else 0)
    return place % 2**32 * count >> 32 == own - 1


_NUMBER = re.compile(r"(.*?)([0-9]+)[^0-9]*?(?:\.[a-zA-Z]\w*)?$", re.DOTALL)
_GOLDEN = 2654435769  # of 2**32


def _checked(index: int, count: int, *names: str) -> Share:
    if not index < count:
        raise UsageError(
            f"{names[0]} and {names[1]} make this share {index + 1} of {count}, which there is not"
            " (an array must be a range of evenly spaced numbers); give --shard i/n instead"
        )
    return index + 1, count
