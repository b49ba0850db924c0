"""What a journal says as a whole: counts, who was left out, how the colors spread."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from colorizer.color import gamut
from colorizer.preparation.doctor import REASONS
from colorizer.preparation.journal import Journal
from colorizer.preparation.normalize import MAX_ASPECT

__all__ = ["Kept", "Summary", "summarize"]

SHOWN = 24
"""Pictures on a contact sheet."""


@dataclass(frozen=True)
class Kept:
    """A picture that is kept: its name, and where it lies."""

    name: str
    shard: str
    member: str


@dataclass
class Summary:
    """All runs into a folder together.

    Attributes:
        kept: how many pictures the shards hold.
        smaller, cut: how many of those are smaller than asked for, or cut for being too long.
        rejected: name -> reason and detail, sorted by name.
        others: how many files are no pictures, by suffix, the most frequent first.
        histogram: (Q,) int64, pixels that are kept, over `gamut.bins()`.
        examples: pictures that are kept, spread over the set.
    """

    kept: int = 0
    smaller: int = 0
    cut: int = 0
    rejected: dict[str, tuple[str, str]] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    histogram: np.ndarray = field(default_factory=lambda: np.zeros(len(gamut.bins()), np.int64))
    examples: list[Kept] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """How many were left out, by reason, in the order of `REASONS`."""
        found = Counter(reason for reason, _ in self.rejected.values())
        return {reason: found[reason] for reason in REASONS if found[reason]}


def summarize(journal: Journal) -> Summary:
    """Read all records; where they speak of one name twice, the later counts."""
    summary, suffixes = Summary(), Counter[str]()
    for record in journal.read():
        for name, reason, detail in record["rejected"]:
            summary.rejected[name] = (reason, detail)
        for name, *_, width, height in record["kept"]:
            summary.rejected.pop(name, None)
            summary.smaller += min(width, height) < journal.settings["size"]
            summary.cut += max(width, height) > MAX_ASPECT * min(width, height)
        for name in record["others"]:
            summary.rejected.pop(name, None)
            suffixes[PurePosixPath(name).suffix.lower() or "without a suffix"] += 1
        summary.kept += len(record["kept"])
        summary.histogram += np.array(record["histogram"], np.int64)
    summary.rejected = dict(sorted(summary.rejected.items()))
    summary.others = dict(sorted(suffixes.items(), key=lambda item: (-item[1], item[0])))
    summary.examples = _examples(journal, summary.kept)
    return summary


def _examples(journal: Journal, count: int) -> list[Kept]:
    wanted = set(np.linspace(0, count - 1, min(SHOWN, count)).astype(int).tolist())
    found, at = [], 0
    for record in journal.read():
        for name, key, *_ in record["kept"]:
            if at in wanted:
                found.append(Kept(name, record["shard"], f"{key}.webp"))
            at += 1
    return found
