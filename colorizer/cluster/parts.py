"""The report of a large run: parts, written as the work goes on, and merged when asked for."""

import csv
import io
import secrets
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from colorizer.cluster.plan import REPORT
from colorizer.cluster.work import Row
from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.folders.report import COLUMNS
from colorizer.support.stores import Store, is_remote, read

__all__ = ["Parts", "merge"]

_ROWS = 5000
_SECONDS = 30.0


class Parts:
    """Collects rows, and writes a CSV part every so many rows or seconds.

    Args:
        out: the output; parts lie in its folder `report`.
        share: which, of how many; in the parts' names.

    Attributes:
        counts: rows of each status.

    Raises:
        ColorizerError: the output cannot be written to. So it is known before the first photo.
    """

    def __init__(self, out: Store, share: tuple[int, int] = (1, 1)) -> None:
        self._out = out
        # Sorted by name, parts are sorted by time; no two runs have the same name.
        now = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        self._run = f"{now}-{share[0]}-of-{share[1]}-{secrets.token_hex(3)}"
        self._rows: list[Row] = []
        self._number = 0
        self.counts: Counter[str] = Counter()
        self._write()

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows; now and then this writes a part.

        Raises:
            ColorizerError: a part cannot be written.
        """
        for row in rows:
            self._rows.append(row)
            self.counts[row.status] += 1
        if len(self._rows) >= _ROWS or time.monotonic() - self._since > _SECONDS:
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

    def _write(self) -> None:
        name = f"{REPORT}/part-{self._run}-{self._number:05d}.csv"
        self._out.write(name, _table(self._rows))
        self._rows, self._number = [], self._number + 1
        self._since = time.monotonic()


def merge(folder: str) -> tuple[str, Counter[str], list[Row]]:
    """Merge all parts in an output into its `report.csv`: a row for each photo, its latest.

    A photo that was done before keeps the row that says how.

    Args:
        folder: an output of `colorizer colorize`: of stores, or a local folder with the reports
            of shares.

    Returns:
        The address of the merged report, how many photos have each status, and the failed ones.

    Raises:
        UsageError: there are no parts.
        ColorizerError: they cannot be read, or the report not be written.
    """
    out = Store(folder)
    latest: dict[str, Row] = {}
    parts = _parts(out)
    if not parts:
        raise UsageError(f"{folder} holds no report: give the output of `colorizer colorize`")
    for part in parts:
        text = read(out.address(part)).decode("utf-8")
        for cells in csv.DictReader(io.StringIO(text, newline="")):
            row = _row(cells, out.address(part))
            before = latest.get(row.path)
            if row.status != "skipped" or before is None or before.status == "failed":
                latest[row.path] = row
    rows = [latest[path] for path in sorted(latest)]
    out.write("report.csv", _table(rows))
    failed = [row for row in rows if row.status == "failed"]
    return out.address("report.csv"), Counter(row.status for row in rows), failed


def _table(rows: Iterable[Row]) -> bytes:
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(COLUMNS)
    table.writerows((*row[:4], f"{row.seconds:.2f}") for row in rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _parts(out: Store) -> list[str]:
    """Names of all parts, in the order of time; and of the reports of a local folder's shares."""
    reports = Store(out.address(REPORT))
    own = sorted(f"{REPORT}/{name}" for name, _ in reports.find()) if reports.exists() else []
    shares = [] if is_remote(out.url) else Path(out.url).glob("report-*-of-*.csv")
    return [*sorted(path.name for path in shares), *own]


def _row(cells: dict[str, str], part: str) -> Row:
    try:
        values = [cells[column] for column in COLUMNS]
        return Row(*values[:4], float(values[4]))
    except (KeyError, TypeError, ValueError) as error:
        raise ColorizerError(f"{part} is no part of a report; remove it") from error
