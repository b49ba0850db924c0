"""A plan, worked through by threads of this process."""

from dataclasses import dataclass
from pathlib import Path

from colorizer.inference.colorizer import Colorizer
from colorizer.places import on_threads as places
from colorizer.places.plan import Plan


@dataclass
class Outcome:
    """What became of the photos: their paths, of failed ones with the reason."""

    done: list[Path]
    skipped: list[Path]
    failed: list[tuple[Path, str]]
    notes: list[str]
    status: int


def run(plan: Plan, colorizer: Colorizer, workers: int = 1, memory: int | None = None) -> Outcome:
    rows = []

    def engine(items):
        return places.threads(items, colorizer=colorizer, workers=workers, memory=memory)

    found = places.run(plan, engine, tell=rows.append)
    paths = {status: [Path(r.path) for r in rows if r.status == status] for status in _STATUSES}
    failed = [(Path(row.path), row.reason) for row in rows if row.status == "failed"]
    return Outcome(paths["colored"], paths["skipped"], failed, found.notes, found.status)


_STATUSES = ("colored", "skipped", "failed")
