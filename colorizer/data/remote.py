"""Tar shards of object stores, kept on this machine's disk once they are fetched."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock
from tqdm import tqdm

from colorizer.errors import ColorizerError
from colorizer.support.patterns import expand
from colorizer.support.pool import as_done
from colorizer.support.stores import Store, fetch, stamp

__all__ = ["fetch_shards", "find_shards"]

_AT_ONCE = 8  # shards: one alone seldom fills the network


def find_shards(location: str) -> list[str]:
    """The addresses of all shards, sorted.

    Args:
        location: of a shard, a folder of shards, or a pattern: s3://bucket/train_{000..999}.tar.

    Raises:
        ColorizerError: there are none, or the store cannot be listed.
    """
    urls = sorted(url for place in expand(location) for url in _shards(place))
    if not urls:
        raise ColorizerError(
            f"no photos at {location}: photos of a store are trained on from .tar shards; make"
            " them with `colorizer prepare`, and copy them there"
        )
    return urls


def fetch_shards(urls: Sequence[str], cache: Path) -> list[tuple[str, Path]]:
    """Address and local copy of each of these shards, in the order of their addresses.

    A shard is fetched once for each machine: its processes share the cache, each beginning at
    another shard, and the next run finds what is there. A shard that changed is fetched anew.

    Args:
        cache: a folder, which is never emptied; it must hold these shards.

    Raises:
        ColorizerError: one cannot be fetched.
    """
    cache.mkdir(parents=True, exist_ok=True)
    own, count = (int(os.environ.get(f"LOCAL_{name}", one)) for name, one in _PROCESSES)
    first = len(urls) * own // max(1, count)
    turned = [*urls[first:], *urls[:first]]
    fetched = as_done(lambda url: (url, _fetch(url, cache)), turned, _AT_ONCE)
    return sorted(tqdm(fetched, "fetching shards", total=len(urls), unit="shard", disable=None))


_PROCESSES = (("RANK", "0"), ("WORLD_SIZE", "1"))  # as torchrun and Lightning tell of this machine


def _shards(place: str) -> list[str]:
    if place.lower().endswith(".tar"):
        return [place]
    store = Store(place)
    return sorted(store.address(name) for name, _ in store.find() if name.lower().endswith(".tar"))


def _fetch(url: str, cache: Path) -> Path:
    """The local copy, whose name tells which state of the shard it is."""
    key = hashlib.sha256(f"{url} {stamp(url)}".encode()).hexdigest()[:32]
    path = cache / f"{key}.tar"
    if not path.exists():
        with FileLock(f"{path}.lock"):
            if not path.exists():
                try:
                    fetch(url, path)
                except OSError as error:
                    raise ColorizerError(
                        f"{url} cannot be kept in {cache}: {error.strerror}; data.cache names"
                        " another folder"
                    ) from error
    return path
