"""From any tree of photos to training shards: the walk through all files."""

import os
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.color import gamut
from colorizer.errors import UsageError
from colorizer.options import PrepareOptions
from colorizer.pictures.finding import Source, Sources, find_sources
from colorizer.preparation.doctor import UNREADABLE, Finding
from colorizer.preparation.duplicates import Fingerprint, PictureIndex
from colorizer.preparation.journal import Journal, shard_name
from colorizer.preparation.keys import key_of, name_hash
from colorizer.preparation.pipeline import Examined, look_at
from colorizer.preparation.set_report import write_report
from colorizer.preparation.shards import write_shard
from colorizer.preparation.tally import summarize
from colorizer.support.machine import cores
from colorizer.support.pool import in_order

__all__ = ["PrepareResult", "prepare"]

_CHUNK = 10  # files per photo of a shard, after which a chunk ends, however few were kept


@dataclass
class PrepareResult:
    """What became of a set of photos, this run and earlier ones together.

    Attributes:
        out: the folder that was written.
        kept: how many pictures the shards hold.
        rejected: how many were left out, by reason; see `doctor.REASONS`.
        others: how many files are no pictures, by suffix.
        new: how many files were looked at in this run.
        failed: what could not be read, with the reason: pictures, shards and folders.
        notes: sentences that the user should read.
    """

    out: Path
    kept: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    new: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """Exit status: 1 if something could not be read or nothing was kept, else 0."""
        return 1 if self.failed or not self.kept else 0


def prepare(
    photos: str | os.PathLike[str],
    out: str | os.PathLike[str],
    **options: Any,
) -> PrepareResult:
    """Turn any tree of photos into clean WebDataset shards, and report on what was left out.

    A run that was stopped goes on where it stopped, and ends with the same bytes. Run again, it
    looks at files with new names only, and appends to the shards; pictures that could not be read
    are tried again.

    Args:
        photos: a folder (searched to any depth for pictures and tar shards), a shard, or a
            pattern of those.
        out: the folder for train_000000.tar and so on, report.html, report.json, rejected.csv.
        options: as `PrepareOptions` has them, by name.

    Raises:
        UsageError: an unknown option, a value out of range, or `out` cannot take this set.
        ColorizerError: there are no photos, or `out` cannot be written.
    """
    chosen = PrepareOptions.of(options)
    against, workers = chosen.against, chosen.workers or cores()
    place, folder = Path(photos).expanduser(), Path(out).expanduser()
    _check_places(place, folder)
    settings = {
        "photos": str(place.resolve()),
        "against": None if against is None else str(Path(against).expanduser().resolve()),
        **{name: getattr(chosen, name) for name in ("size", "quality", "shard_size", "max_pixels")},
    }
    journal = Journal(folder, settings)
    found = find_sources(place, folder)
    other = None if against is None else find_sources(against)
    result = PrepareResult(folder, failed=list(found.failed), notes=list(found.notes))
    with journal:
        held_out = PictureIndex() if other is None else _index(other, chosen, workers, result)
        run = _Run(journal, chosen, held_out)
        run.resume()
        run.work(found.sources, workers, result)
        summary = summarize(journal)
        write_report(journal, summary, str(photos), found.sources, other.sources if other else [])
    result.kept, result.rejected, result.others = summary.kept, summary.counts(), summary.others
    unreadable = [
        (name, detail)
        for name, (reason, detail) in summary.rejected.items()
        if reason == UNREADABLE
    ]
    result.failed = unreadable + result.failed
    if not result.kept:
        result.notes.append(f"not one picture of {photos} was kept")
    return result


def _check_places(photos: Path, out: Path) -> None:
    inside, outside = photos.resolve(), out.resolve()
    if outside == inside or outside in inside.parents:
        raise UsageError(
            f"{out} is or contains {photos}: training on it would take both; name another folder"
        )


def _index(
    found: Sources, options: PrepareOptions, workers: int, result: PrepareResult
) -> PictureIndex:
    """The pictures of the evaluation set; none of them may be missed in silence."""
    from tqdm import tqdm

    index = PictureIndex()
    look = partial(look_at, options=options, doctor=False)
    sources = sorted(found.sources, key=lambda source: source.name)
    bar = tqdm(
        in_order(look, sources, workers, 4 * workers),
        "reading --against",
        len(sources),
        unit="file",
    )
    with bar:
        for seen in bar:
            if seen.finding:
                reason = f"of the evaluation set, cannot be compared: {seen.finding.detail}"
                result.failed.append((seen.source.name, reason))
            elif seen.signature is not None:
                index.add(seen.source.name, seen.digest, seen.signature)
    result.failed += found.failed
    return index


class _Run:
    """The state of a run: what is known so far, and the chunk that is being filled."""

    def __init__(self, journal: Journal, options: PrepareOptions, held_out: PictureIndex) -> None:
        self.journal, self.options, self.held_out = journal, options, held_out
        self.kept = PictureIndex()
        self.done: set[bytes] = set()
        self.failed: set[bytes] = set()

    def resume(self) -> None:
        """Learn what earlier runs found."""
        for record in self.journal.read():
            for name, _, digest, signature, *_ in record["kept"]:
                self.kept.add(name, digest, Fingerprint.from_hex(signature))
            for name, reason, *_ in record["rejected"]:
                (self.failed if reason == UNREADABLE else self.done).add(name_hash(name))
            for names in (record["others"], (entry[0] for entry in record["kept"])):
                self.done.update(map(name_hash, names))
        self.failed -= self.done  # tried again with success

    def work(self, sources: list[Source], workers: int, result: PrepareResult) -> None:
        """Look at all files that are not done yet, chunk by chunk."""
        from tqdm import tqdm

        total = len(sources)
        order = self._order(sources)
        # At a terminal often, in a log file rarely.
        slow = {} if sys.stderr.isatty() else {"mininterval": 30}
        look = partial(look_at, options=self.options)
        bar = tqdm(total=total, initial=total - len(order), unit="file", **slow)
        with bar:
            chunk = self._new_chunk()
            # One at a time from the end of the list, which thereby shrinks.
            items = (order.pop() for _ in range(len(order)))
            for seen in in_order(look, items, workers, 4 * workers):
                bar.update()
                result.new += 1
                self._sort_in(chunk, seen, bar)
                if len(chunk["members"]) == self.options.shard_size or (
                    chunk["seen"] == _CHUNK * self.options.shard_size
                ):
                    self._commit(chunk)
                    chunk = self._new_chunk()
            self._commit(chunk)

    def _order(self, sources: list[Source]) -> list[Source]:
        """What is to be done, last first: by the hash of the names; what failed before, at last.

        Any prefix of the shards is then an unbiased sample of the set.
        """
        rank = {}
        for source in sources:
            at = name_hash(source.name)
            if at not in self.done:
                rank[at] = source
        order = sorted(rank, key=lambda at: (at in self.failed, at), reverse=True)
        return [rank[at] for at in order]

    def _new_chunk(self) -> dict[str, Any]:
        histogram = np.zeros(len(gamut.bins()), np.int64)
        empty = {"seen": 0, "members": [], "kept": [], "rejected": [], "others": []}
        return {**empty, "histogram": histogram}

    def _sort_in(self, chunk: dict[str, Any], seen: Examined, bar: Any) -> None:
        """Decide what becomes of one file."""
        chunk["seen"] += 1
        name = seen.source.name
        if not seen.picture:
            chunk["others"].append(name)
            return
        finding = seen.finding or self._known(seen)
        if finding is None:
            assert seen.signature is not None  # every picture has one
            key = key_of(name)
            chunk["members"].append((f"{key}.webp", seen.encoded))
            chunk["histogram"] += seen.histogram
            signature = seen.signature.to_hex()
            chunk["kept"].append((name, key, seen.digest, signature, seen.width, seen.height))
            self.kept.add(name, seen.digest, seen.signature)
            return
        if finding.reason == UNREADABLE:
            bar.write(f"{name}: {finding.detail}", file=sys.stderr)
            if name_hash(name) in self.failed:
                return  # recorded by an earlier run
        chunk["rejected"].append((name, finding.reason, finding.detail))

    def _known(self, seen: Examined) -> Finding | None:
        assert seen.signature is not None  # every picture has one
        match = self.held_out.find(seen.digest, seen.signature)
        if match:
            return Finding("also in evaluation", f"also in {self.options.against}: {match.name}")
        match = self.kept.find(seen.digest, seen.signature)
        if match is None:
            return None
        return Finding("duplicate" if match.bits is None else "near-duplicate", match.name)

    def _commit(self, chunk: dict[str, Any]) -> None:
        """Write the shard, then the record, which makes it count."""
        members = chunk["members"]
        shard = shard_name(self.journal.shards) if members else None
        if not members and not chunk["rejected"] and not chunk["others"]:
            return
        if shard:
            write_shard(self.journal.out / shard, members)
        self.journal.add(
            {
                "shard": shard,
                "kept": chunk["kept"],
                "rejected": chunk["rejected"],
                "others": chunk["others"],
                "histogram": chunk["histogram"].tolist(),
            }
        )
