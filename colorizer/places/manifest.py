"""Lists of photos, for collections that take longer to list than to read a list of."""

import csv
import io
import posixpath
import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

from colorizer.errors import UsageError
from colorizer.extras import extra
from colorizer.places.place import place_of
from colorizer.support.stores import is_remote, remote_name

__all__ = ["read_manifest"]

COLUMNS = ("path", "url", "source", "file")
"""Names that the column of photos may have in a table."""

_LONGEST = 4096  # characters of a path, on all common systems


def read_manifest(location: str, base: str | None = None) -> list[tuple[str, str]]:
    """The photos of a manifest, and the names that their results get.

    A .txt file has a photo on each line; a .csv or .parquet file has a column of them, `path`, and
    maybe a column `name` of the results' names. Photos are addresses, or paths relative to `base`.
    Without a column `name`, the name of a result is the path relative to `base`; without `base`,
    it is what stands behind the bucket: it does not depend on the other rows.

    Args:
        location: of the manifest: a local path or a URL.
        base: a folder.

    Raises:
        UsageError: another kind of file, rows that are empty, or a photo outside of `base`.
        ColorizerError: it cannot be read.
    """
    kind = PurePosixPath(location).suffix.lower()
    if kind not in _READERS:
        raise UsageError(f"{location} is no manifest; accepted are {', '.join(_READERS)}")
    first, rows = _READERS[kind](place_of(location).read(), location)
    told = [tuple(str(cell or "").strip() for cell in row) for row in rows]
    if empty := [str(number) for number, (path, _) in enumerate(told, first) if not path]:
        more = f" and {len(empty) - 5} more" if len(empty) > 5 else ""
        raise UsageError(
            f"{location} names no photo in row {', '.join(empty[:5])}{more}; fill or remove these"
            " rows first"
        )
    if not told:
        raise UsageError(f"{location} is empty; a row for each photo is needed")
    for number, row in enumerate(told, first):
        _check_row(row, number, location)
    photos = []
    for path, name in told:
        whole = base is None or is_remote(path) or path.startswith("/")
        source = path if whole else f"{base.rstrip('/')}/{path}"
        photos.append((source, _checked(name or _name(source, base, location), location)))
    return photos


Rows = tuple[int, Iterable[tuple[object, object]]]  # with the number of the first


def _lines(data: bytes, location: str) -> Rows:
    text = _decoded(data, location).rstrip()
    return 1, [(line, "") for line in re.split("\r\n|\n|\r", text)]


def _csv(data: bytes, location: str) -> Rows:
    table = csv.reader(io.StringIO(_decoded(data, location), newline=""))
    try:
        header = [cell.strip().lower() for cell in next(table, [])]
        cells = list(table)
    except csv.Error as error:
        raise UsageError(f"{location} is no table that can be read: {error}") from error
    path, name = _columns(header, location)
    rows = ([*row, *[""] * len(header)] for row in cells)
    return 2, [(row[path], row[name] if name is not None else "") for row in rows]


def _parquet(data: bytes, location: str) -> Rows:
    parquet = extra("pyarrow.parquet", "cluster")
    arrow = extra("pyarrow", "cluster")
    try:
        table = parquet.read_table(io.BytesIO(data))
    except arrow.ArrowException as error:
        raise UsageError(f"{location} is no parquet file: {error}") from error
    path, name = _columns([column.lower() for column in table.column_names], location)
    paths = table.column(path).to_pylist()
    names = table.column(name).to_pylist() if name is not None else [""] * len(paths)
    return 1, zip(paths, names, strict=True)


def _columns(header: list[str], location: str) -> tuple[int, int | None]:
    found = [column for column in COLUMNS if column in header]
    if not found:
        raise UsageError(
            f"{location} has no column {COLUMNS[0]}; it has {', '.join(header) or 'none'}"
        )
    return header.index(found[0]), header.index("name") if "name" in header else None


def _decoded(data: bytes, location: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{location} is no text in UTF-8; save it so") from error


def _name(source: str, base: str | None, location: str) -> str:
    if base is None:
        return remote_name(source)
    inside = f"{base.rstrip('/')}/"
    if not source.startswith(inside):
        raise UsageError(f"{location}: {source} does not lie in {base}; leave that out, or the row")
    return source.removeprefix(inside)


def _check_row(row: tuple[str, ...], number: int, location: str) -> None:
    """Raise UsageError for what no path holds, such as all lines behind a quote that stays open."""
    text = "".join(row)
    if odd := next((one for one in text if unicodedata.category(one) in ("Cc", "Cs")), ""):
        raise UsageError(
            f"{location} has the character {odd!r} in row {number}; correct the row, or a quote"
            " that stays open"
        )
    if max(map(len, row)) > _LONGEST:
        raise UsageError(
            f"{location} has {max(map(len, row)):,} characters in a cell of row {number}; a path"
            f" has at most {_LONGEST:,}"
        )


def _checked(name: str, location: str) -> str:
    if name.startswith("/") or ".." in name.split("/"):
        raise UsageError(f"{location}: the name {name} leads out of the output; give another one")
    return posixpath.normpath(name)  # a//b and ./a/b are one file


_READERS = {".txt": _lines, ".csv": _csv, ".parquet": _parquet}
