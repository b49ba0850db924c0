"""What became of many pictures: in memory, and as a table in a file."""

import csv
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from colorizer.errors import ColorizerError

__all__ = ["Report", "Result"]

COLUMNS = ("path", "status", "reason", "size", "seconds")


@dataclass
class Result:
    """What became of the jobs.

    Attributes:
        done, skipped: sources that were colored now, or earlier.
        failed: sources with the reason.
        passed: entries of folders that are no pictures.
        notes: sentences on pictures that were colored.
    """

    done: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    passed: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """Exit status: 1 if a picture failed, else 0."""
        return 1 if self.failed else 0


class Report:
    """A CSV file with a row for each picture, written while the work goes on.

    Args:
        path: is replaced if it exists; None writes nothing.

    Raises:
        ColorizerError: it cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._file = None
        if path is not None:
            try:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                self._file = Path(path).open(  # noqa: SIM115 - closed by __exit__
                    "w", newline="", encoding="utf-8", errors="backslashreplace"
                )
            except OSError as error:
                raise ColorizerError(f"{path} cannot be written: {error.strerror}") from error
            self._table = csv.writer(self._file)
            self._write(COLUMNS)

    def add(
        self, path: str, status: str, reason: str = "", size: str = "", seconds: float = 0.0
    ) -> None:
        """Write the row of a picture: status as docs/files.md has it; size in pixels."""
        self._write((path, status, reason, size, f"{seconds:.2f}"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file:
            self._file.close()

    def _write(self, row: tuple[str, ...]) -> None:
        if self._file:
            self._table.writerow(row)
            self._file.flush()  # a run that is killed leaves a table of what was done
