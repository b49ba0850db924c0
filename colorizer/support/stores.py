"""Folders wherever fsspec reaches - disks, S3, Google Cloud, Azure - read and written whole."""

import os
import random
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from colorizer.errors import UsageError
from colorizer.extras import extra
from colorizer.support.files import whole
from colorizer.support.nearest import did_you_mean
from colorizer.support.retries import persist

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = [
    "Store",
    "connect",
    "fetch",
    "is_remote",
    "look",
    "read",
    "remote_name",
    "stamp",
]

# Stores where an object appears under its key only when all of it is there.
_ATOMIC = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "memory"}


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether this is a URL, such as s3://bucket/key, and no path of this machine."""
    return re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", os.fspath(path)) is not None


def remote_name(url: str) -> str:
    """What stands behind the scheme and the bucket of a URL; of a local path all but the root."""
    if not is_remote(url):
        return Path(url).as_posix().lstrip("/")
    return url.split("://", 1)[1].partition("/")[2]


def connect(url: str) -> tuple["AbstractFileSystem", str]:
    """The file system of a URL or local path, and the path in it.

    Credentials, endpoints and regions are fsspec's affair: its configuration files, its variables
    FSSPEC_S3_..., and what the clients of the stores find for themselves.

    Raises:
        UsageError: an unknown scheme, or one whose package is missing.
        ColorizerError: fsspec itself is missing.
    """
    fsspec = extra("fsspec", "cluster")
    scheme = url.split("://", 1)[0] if is_remote(url) else "file"
    try:
        return fsspec.url_to_fs(url)
    except ImportError as error:
        raise UsageError(f"{url}: {scheme}:// needs a package of its own: {error}") from error
    except ValueError as error:
        known = fsspec.available_protocols()
        hint = did_you_mean(scheme, known, 0.5)
        if scheme in known:  # it is something else that is wrong
            raise UsageError(f"{url} is no address: {error}") from error
        raise UsageError(
            f"{url}: unknown scheme {scheme}{hint} (known are s3, gs, abfs, http, file and what"
            " else fsspec knows)"
        ) from error


def read(url: str) -> bytes:
    """All bytes of a file.

    Raises:
        ColorizerError: it cannot be had; said with its address.
    """
    fs, path = connect(url)
    return persist(lambda: fs.cat_file(path), url)


def look(url: str, first: int, last: int | None) -> bytes:
    """Some bytes of a file, by a ranged request: from a place on, below 0 from the end, to another.

    Raises:
        ColorizerError: as for `read`.
    """
    fs, path = connect(url)

    def ask() -> bytes:
        try:
            return fs.cat_file(path, start=first, end=last)
        except FileNotFoundError:
            raise
        except Exception:
            if fs.info(path)["size"]:
                raise
            return b""  # of which no range is to be had

    return persist(ask, url)


def stamp(url: str) -> str:
    """What changes when a file does: its size, and its tag or time.

    Raises:
        ColorizerError: as for `read`.
    """
    fs, path = connect(url)
    fs.invalidate_cache()
    info = persist(lambda: fs.info(path), url)
    return f"{info['size']} {info.get('ETag') or info.get('etag') or _modified(info)}"


def fetch(url: str, destination: Path) -> None:
    """Copy a file onto the disk, where it appears whole or not at all.

    Raises:
        ColorizerError: as for `read`; OSError: the disk's.
    """
    fs, path = connect(url)
    with whole(destination) as work:
        persist(lambda: fs.get_file(path, str(work)), url)


class Store:
    """A folder of a file system; it may be pickled, and then connects again.

    Args:
        url: such as s3://bucket/folder, or a local path.

    Raises:
        UsageError, ColorizerError: as for `connect`.
    """

    def __init__(self, url: str | os.PathLike[str]) -> None:
        self.url = re.sub(r"(?<=[^/:])/+$", "", os.fspath(url))
        self.fs, root = connect(self.url)
        self.root = root.rstrip("/")
        protocols = {self.fs.protocol} if isinstance(self.fs.protocol, str) else self.fs.protocol
        self._atomic = bool(_ATOMIC & set(protocols))
        if not self.root and not {"file", "memory"} & set(protocols):
            raise UsageError(f"{url} names no bucket; give one, as in s3://bucket/folder")

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.url,)

    def __contains__(self, other: "Store") -> bool:
        """Whether another folder lies in this one, or is it."""
        same = type(self.fs) is type(other.fs)
        return same and f"{other.root}/".startswith(f"{self.root}/")

    def address(self, name: str) -> str:
        """The address of a file in this folder of the store."""
        return f"{self.url.rstrip('/')}/{name}"

    def exists(self) -> bool:
        """Whether there is anything in the folder.

        Raises:
            ColorizerError: that cannot be told.
        """
        self.fs.invalidate_cache()
        return persist(lambda: self.fs.exists(self.root), self.url)

    def find(self, without: "Store | None" = None) -> Iterator[tuple[str, float]]:
        """Name and time of change of all files, at any depth, but for what is hidden.

        One request lists a thousand files; none asks for a single one. The time is in seconds
        since 1970, 0 where the store does not tell.

        Args:
            without: a folder in this one that is passed over.

        Raises:
            ColorizerError: there is no such folder, or it cannot be listed.
        """
        self.fs.invalidate_cache()
        left = [self.root]
        while left:
            folder = left.pop()
            infos = persist(lambda folder=folder: self.fs.ls(folder, detail=True), self.url)
            for info in sorted(infos, key=lambda info: info["name"]):
                path = info["name"].rstrip("/")
                name = path[len(self.root) :].lstrip("/")
                if not name or name.rpartition("/")[2].startswith(".") or path == folder:
                    continue
                if info["type"] != "directory":
                    yield name, _modified(info)
                elif without is None or path != without.root:
                    left.append(path)
        self.fs.invalidate_cache()

    def write(self, name: str, content: bytes | Path) -> None:
        """Write a file of bytes or of a file of the disk; it appears whole or not at all.

        Raises:
            ColorizerError: it cannot be written.
        """
        path, address = f"{self.root}/{name}", self.address(name)

        def send(to: str) -> None:
            if isinstance(content, bytes):
                self.fs.pipe_file(to, content)
            else:
                self.fs.put_file(str(content), to)

        if self._atomic:
            persist(lambda: send(path), address)
            return
        folder, _, last = path.rpartition("/")
        work = f"{folder}/.colorizer-{os.getpid()}-{random.getrandbits(64):x}-{last}"
        persist(lambda: self.fs.makedirs(folder, exist_ok=True), address)
        persist(lambda: send(work), address)
        persist(lambda: self._move(work, path), address)

    def _move(self, work: str, path: str) -> None:
        from fsspec import AbstractFileSystem

        if type(self.fs).mv is AbstractFileSystem.mv:  # which takes brackets for patterns
            self.fs.cp_file(work, path)
            self.fs.rm_file(work)
        else:
            self.fs.mv(work, path)


def _modified(info: dict[str, Any]) -> float:
    for key in ("LastModified", "mtime", "updated", "last_modified", "created"):
        value = info.get(key)
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                continue
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return 0.0
