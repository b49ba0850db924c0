"""Which object becomes which, what is done already, and which share is ours."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from colorizer.cluster.manifest import read_manifest
from colorizer.errors import UsageError
from colorizer.inference.folders.jobs import writable
from colorizer.pictures.formats import SUFFIXES
from colorizer.support.patterns import expand
from colorizer.support.shares import falls_to
from colorizer.support.stores import Store

__all__ = ["REPORT", "SHARD", "Item", "Plan", "plan", "result_name"]

REPORT = "report"
"""The folder in an output that holds the parts of its report."""

SHARD = ".tar"


class Item(NamedTuple):
    """A photo, or a tar shard of photos.

    Attributes:
        source: its address.
        name: in the output; but see `result_name`.
        modified: when it changed, in seconds since 1970; 0 if that is not known.
    """

    source: str
    name: str
    modified: float = 0.0


@dataclass
class Plan:
    """What there is to do.

    Attributes:
        todo: photos and shards to color.
        done: names of those whose results are there.
    """

    todo: list[Item] = field(default_factory=list)
    done: list[str] = field(default_factory=list)


def result_name(name: str) -> str:
    """The name of what a photo or shard becomes: its own, but PNG for what cannot be written."""
    suffix = PurePosixPath(name).suffix
    if suffix.lower() == SHARD:
        return name
    return name.removesuffix(suffix) + writable(Path(f"picture{suffix}")).suffix


def plan(
    paths: Iterable[str],
    out: Store,
    *,
    manifest: str | None = None,
    share: tuple[int, int] = (1, 1),
) -> Plan:
    """Find photos and tar shards, and leave out what is done and what is not in the share.

    What is done is known from listing the output once: a result that is no older than its source,
    where both times are known.

    Args:
        paths: folders, photos, shards and patterns of them, local or URLs. With a manifest, none,
            or the folder that its rows are relative to.
        out: the folder that gets the results.
        manifest: see `read_manifest`.
        share: see `share_of`.

    Raises:
        UsageError: no photo; the output is the input; two photos would become one result.
        ColorizerError: an input or the output cannot be read.
    """
    paths = list(paths)
    if manifest is not None and len(paths) > 1:
        raise UsageError("a manifest takes one folder at most, to which its rows are relative")
    if manifest is not None:
        rows = read_manifest(manifest, paths[0] if paths else None)
        items = (Item(source, name) for source, name in rows)
    else:
        items = (item for path in paths for item in _items(path, out))
    own: dict[str, Item] = {}
    count = 0
    for item in items:
        count += 1
        name = result_name(item.name)
        if falls_to(name, share) and (other := own.setdefault(name, item)) is not item:
            raise UsageError(
                f"{other.source} and {item.source} would both become {out.address(name)}"
            )
        if item.source == out.address(name):
            raise UsageError(f"{item.source} would be replaced by its result; give another output")
    if not count:
        where = manifest or ", ".join(paths)
        raise UsageError(f"no photo in {where}: looked for {' '.join(sorted(SUFFIXES))} {SHARD}")
    found = Plan()
    there = {name: time for name, time in _results(out) if name in own}
    for name, item in own.items():
        if name in there and not 0 < there[name] < item.modified:
            found.done.append(item.name)
        else:
            found.todo.append(item)
    return found


def _items(path: str, out: Store) -> Iterator[Item]:
    found = expand(path)
    several = found != [path]
    for url in found:
        if not several and not _is_file(url):
            store = Store(url)
            if store in out and out in store:
                raise UsageError(f"the output {out.url} is the input; give another one")
            for name, modified in store.find(without=out):
                if PurePosixPath(name).suffix.lower() in _WANTED:
                    yield Item(store.address(name), name, modified)
        elif PurePosixPath(url).suffix.lower() in _WANTED:
            yield Item(url, PurePosixPath(url).name)


def _is_file(url: str) -> bool:
    return PurePosixPath(url).suffix.lower() in _WANTED and not Path(url).is_dir()


def _results(out: Store) -> Iterator[tuple[str, float]]:
    if out.exists():
        yield from out.find()


_WANTED = SUFFIXES | {SHARD}
