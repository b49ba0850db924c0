"""What has been done already: a folder of records, one for each chunk of files.

A chunk counts when its record is there, under its final name; the record is written after the
shard that it speaks of. Whatever lies in the folder without a record is the rest of a run that
was killed, and is removed.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

from colorizer.errors import ColorizerError, UsageError
from colorizer.preparation.shards import write_file
from colorizer.support.files import remove_stale

__all__ = ["FOLDER", "Journal", "shard_name"]

FOLDER = "journal"
_VERSION = 1


def shard_name(number: int) -> str:
    return f"train_{number:06d}.tar"


class Journal:
    """The journal of an output folder, which one process at a time may open.

    Attributes:
        records: how many chunks are done.
        shards: how many shards are written.

    Args:
        out: is made if it does not exist.
        settings: what the output depends on; must be those of the earlier runs.

    Raises:
        UsageError: `out` is a file, or holds something else, or was made with other settings.
        ColorizerError: another process is at work there, or it cannot be written.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any]) -> None:
        self.out, self.folder = out, out / FOLDER
        self.settings = {"version": _VERSION, **settings}
        self._lock = FileLock(self.folder / ".lock", timeout=0)
        self._check_place()

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise ColorizerError(
                f"another `colorizer prepare` is at work in {self.out}; wait"
            ) from error
        except OSError as error:
            raise ColorizerError(f"{self.out} cannot be written: {error.strerror}") from error
        text = json.dumps(self.settings, indent=1)
        if not self._settings_file.exists():
            write_file(self._settings_file, text.encode())
        self._clear_up()
        return self

    def __exit__(self, *reason: object) -> None:
        self._lock.release()

    def read(self) -> Iterator[dict[str, Any]]:
        """The records, from the first on."""
        for number in range(self.records):
            path = self._record(number)
            try:
                yield json.loads(path.read_text(encoding="ascii"))
            except (OSError, ValueError) as error:
                raise ColorizerError(
                    f"{path} cannot be read: {error}; prepare into another folder"
                ) from error

    def add(self, record: Mapping[str, Any]) -> None:
        """Commit a chunk, whose shard, if any, is already written."""
        text = json.dumps(record, separators=(",", ":"))
        write_file(self._record(self.records), text.encode("ascii"))
        self.records += 1
        self.shards += record["shard"] is not None

    @property
    def _settings_file(self) -> Path:
        return self.folder / "settings.json"

    def _record(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"

    def _check_place(self) -> None:
        out = self.out
        if out.exists() and not out.is_dir():
            raise UsageError(f"{out} is a file; name a folder to write to")
        if not self._settings_file.exists():
            # What a run leaves that is killed at its very start is this folder, and no settings.
            strange = [path.name for path in out.glob("*") if path.name != FOLDER]
            if strange:
                raise UsageError(
                    f"{out} holds other files ({', '.join(sorted(strange)[:3])}); name a new"
                    " folder, or one that `colorizer prepare` wrote"
                )
            return
        try:
            before = json.loads(self._settings_file.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{self._settings_file} cannot be read: {error}") from error
        for name, value in self.settings.items():
            if before.get(name) != value:
                raise UsageError(
                    f"{out} was made with {name} {before.get(name)}, not {value}: give the same,"
                    " or name a new folder"
                )

    def _clear_up(self) -> None:
        """Count what is done, and remove what a killed run left."""
        self.records = 0
        while self._record(self.records).exists():
            self.records += 1
        self.shards = 0
        for record in self.read():
            if record["shard"] is not None:
                if not (self.out / record["shard"]).exists():
                    raise ColorizerError(
                        f"{self.out / record['shard']} is missing, though it was written; put it"
                        " back, or prepare into another folder"
                    )
                self.shards += 1
        known = {shard_name(number) for number in range(self.shards)}
        for place in (self.out, self.folder):
            remove_stale(place)
        for path in self.out.glob("train_*.tar"):
            if path.name not in known:
                path.unlink()
