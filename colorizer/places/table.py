"""What became of many photos, as a table: of a local folder one file, of a store parts."""

import csv
import io
import secrets
import time
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple, Self

from colorizer.errors import ColorizerError, UsageError
from colorizer.places.place import Place, place_of
from colorizer.support.stores import Store

__all__ = ["REPORT", "Report", "Row", "merge"]

REPORT = "report"
"""The folder in a store that holds the parts of its report."""

COLUMNS = ("path", "status", "reason", "size", "seconds")
_ROWS = 5000
_SECONDS = 30.0


class Row(NamedTuple):
    """What became of a photo.

    Attributes:
        path: its name.
        status: colored, skipped (done before), failed, or "not a picture".
        reason: of what was not colored.
        size: in pixels.
        seconds: that reading, coloring and writing took.
        notes: sentences on what was colored.
    """

    path: str
    status: str
    reason: str = ""
    size: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    def cells(self) -> tuple[str, ...]:
        """The row's cells, in the order of `COLUMNS`."""
        told = self.reason or "; ".join(self.notes)
        return (self.path, self.status, told, self.size, f"{self.seconds:.2f}")


class Report:
    """A CSV table, written while the work goes on: what is killed leaves what was done.

    Args:
        out: the output, which gets `report.csv`, or `report-I-of-N.csv` of a share; of a store
            `report/part-...csv`, a new one every so many rows or seconds. None writes nothing.
        share: which, of how many.

    Attributes:
        counts: rows of each status.

    Raises:
        ColorizerError: it cannot be written, or such a file is there that is no report. So it is
            known before the first photo.
    """

    def __init__(self, out: Place | None, share: tuple[int, int] = (1, 1)) -> None:
        self._out = out
        self.counts: Counter[str] = Counter()
        self._rows: list[Row] = []
        self._number = 0
        self._file = None
        if out is not None and out.is_local:
            name = REPORT if share[1] == 1 else f"{REPORT}-{share[0]}-of-{share[1]}"
            path = (out / f"{name}.csv").path
            _check_replaceable(Place(str(path)))
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = path.open("wb")
            except OSError as error:
                raise ColorizerError(f"{path} cannot be written: {error.strerror}") from error
        # Sorted by name, parts are sorted by time; no two runs have the same name.
        now = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        self._run = f"{now}-{share[0]}-of-{share[1]}-{secrets.token_hex(3)}"
        self._write()

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows; raises ColorizerError where they cannot be written."""
        for row in rows:
            self._rows.append(row)
            self.counts[row.status] += 1
        late = len(self._rows) >= _ROWS or time.monotonic() - self._since > _SECONDS
        if late or self._file is not None:
            self._write()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._rows:
            self._write()
        if self._file is not None:
            self._file.close()

    def _write(self) -> None:
        first = not self._number
        if self._file is not None:
            self._file.write(_table(self._rows, with_head=first))
            self._file.flush()
        elif self._out is not None:
            (self._out / f"{REPORT}/part-{self._run}-{self._number:05d}.csv").write(
                _table(self._rows)
            )
        self._rows, self._number = [], self._number + 1
        self._since = time.monotonic()


def merge(folder: str) -> tuple[str, Counter[str], list[Row]]:
    """Merge all reports in an output into its `report.csv`: a row for each photo, its latest.

    A photo that was done before keeps the row that says how.

    Args:
        folder: an output of `colorizer colorize`.

    Returns:
        The address of the merged report, how many photos have each status, and the failed ones.

    Raises:
        UsageError: there is no report.
        ColorizerError: one cannot be read, or the merged one not be written.
    """
    out = place_of(folder)
    latest: dict[str, Row] = {}
    parts = _parts(out)
    if not parts:
        raise UsageError(f"{folder} holds no report: give the output of `colorizer colorize`")
    for part in parts:
        text = part.read().decode("utf-8")
        for cells in csv.DictReader(io.StringIO(text, newline="")):
            row = _row(cells, part.address)
            before = latest.get(row.path)
            if row.status != "skipped" or before is None or before.status == "failed":
                latest[row.path] = row
    rows = [latest[path] for path in sorted(latest)]
    merged = out / f"{REPORT}.csv"
    _check_replaceable(merged)
    merged.write(_table(rows))
    failed = [row for row in rows if row.status == "failed"]
    return merged.address, Counter(row.status for row in rows), failed


def _table(rows: Iterable[Row], with_head: bool = True) -> bytes:
    text = io.StringIO(newline="")
    table = csv.writer(text)
    if with_head:
        table.writerow(COLUMNS)
    table.writerows(row.cells() for row in rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _check_replaceable(path: Place) -> None:
    """Raise ColorizerError if there is a file that begins as no report does."""
    if path.modified() is None:
        return
    try:
        head = path.look(0, 100)
    except ColorizerError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return
        raise
    if head and not head.startswith(",".join(COLUMNS).encode()):
        raise ColorizerError(
            f"{path.address} is there already and is no report of ours, so it is not replaced;"
            " rename it, or name another output"
        )


def _parts(out: Place) -> list[Place]:
    """All parts, in the order of time; of a local folder the reports of shares, or of the whole."""
    if not out.is_local:
        store = Store((out / REPORT).address)
        names = sorted(name for name, _ in store.find()) if store.exists() else []
        return [place_of(store.address(name)) for name in names]
    shares = sorted(out.path.glob(f"{REPORT}-*-of-*.csv"))
    parts = shares + sorted(out.path.glob(f"{REPORT}/*.csv"))
    return [Place(str(part)) for part in parts or out.path.glob(f"{REPORT}.csv")]


def _row(cells: dict[str, str], part: str) -> Row:
    try:
        path, status, reason, size, seconds = (cells[column] for column in COLUMNS)
        return Row(path, status, reason, size, float(seconds))
    except (KeyError, TypeError, ValueError) as error:
        raise ColorizerError(f"{part} is no part of a report; remove it") from error
