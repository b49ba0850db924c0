"""What follows from the name of a photo alone, so that each run comes to the same."""

import hashlib
import re
from pathlib import PurePosixPath

__all__ = ["key_of", "name_hash"]


def name_hash(name: str) -> bytes:
    """16 bytes that identify a name, and whose order is that of no other property of a photo."""
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def key_of(name: str) -> str:
    """The key of a picture in a shard, different for each name: ASCII, without dots or slashes.

    It begins with half of `name_hash`, so that keys sort in the order of the shards.
    """
    stem = PurePosixPath(name).name.split(".")[0]
    slug = re.sub(r"[^A-Za-z0-9]+", "_", stem).strip("_")[:40]
    return "-".join(filter(None, (name_hash(name)[:8].hex(), slug)))
