"""Which photo becomes which file, what of them is done already, and which share is ours."""

import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from colorizer.errors import ColorizerError, UsageError
from colorizer.pictures.formats import SUFFIXES, WRITABLE, becoming, format_of
from colorizer.pictures.forms import FORMS, check_form
from colorizer.pictures.origin import HEAD
from colorizer.places.archive import ARCHIVE
from colorizer.places.manifest import read_manifest
from colorizer.places.outputs import result_name
from colorizer.places.place import Bucket, Found, Place, Stream, find_all, place_of
from colorizer.places.versions import versions_in
from colorizer.support.pool import in_order
from colorizer.support.shares import falls_to, share_of

__all__ = ["Item", "Plan", "plan"]

_LONGEST = 255  # bytes of a file's name, on all common file systems
_LOOKS = 32  # results that are looked at at a time: stores answer slowly


class Item(NamedTuple):
    """A photo to color, or a tar shard of photos; or an entry of a folder that is none.

    Attributes:
        source, target: addresses.
        name: for the report; the same on all machines.
        suffix: of the results, where one was asked for.
        modified: when the source changed, in seconds since 1970; 0 if that is not known.
        resume: leave it out if the target is a result no older than the source.
        variant: which coloring, see `Colorizer`.
        passed: why it is no photo; empty if it is one.
        problem: why it will fail; empty if nothing is known.
        colors_from: the path of its colored version; empty if it has none of its own.
    """

    source: str
    target: str
    name: str
    suffix: str = ""
    modified: float = 0.0
    resume: bool = False
    variant: int = 1
    passed: str = ""
    problem: str = ""
    colors_from: str = ""


@dataclass
class Plan:
    """What there is to do for this share.

    Attributes:
        todo: photos and shards to color, and those that will fail.
        done: those whose results are there.
        passed: entries of folders that are no photos.
        share: which, of how many.
        photos: how many there are in all shares.
        report: the folder that gets a report; None if there is none.
    """

    todo: list[Item] = field(default_factory=list)
    done: list[Item] = field(default_factory=list)
    passed: list[Item] = field(default_factory=list)
    share: tuple[int, int] = (1, 1)
    photos: int = 0
    report: Place | None = None


class _Goal(NamedTuple):
    """Where results go: into a folder, to a file, or beside the photos."""

    folder: Place | None
    file: Place | None
    suffix: str
    collection: bool
    behind: str = FORMS["photo"]


def plan(
    paths: Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str] | None = None,
    *,
    manifest: str | None = None,
    variants: int = 1,
    format: str | None = None,
    shard: str | None = None,
    collection: bool = False,
    form: str = "photo",
    versions: str | os.PathLike[str] | None = None,
) -> Plan:
    """Pair each photo with the file that it becomes, and leave out what is done, by its mark.

    Without `out` that is NAME-colored.EXT beside the photo, or NAME-layer and NAME-pair of other
    forms. A folder means all photos in it, at any depth; `out` then is a folder that gets the same
    tree and names. Each entry of a folder is an item, also if it is no photo.

    Args:
        paths: photos, folders, tar shards and patterns of them, on this machine or URLs; or "-".
            With a manifest, none, or the folder that its rows are relative to. A photo that does
            not exist becomes an item, which will fail.
        out: a file for one photo; a folder for one or more.
        manifest: see `read_manifest`.
        variants: above 1, each photo becomes NAME-1.EXT, NAME-2.EXT and so on.
        format: the extension of all results, such as "png"; None keeps those of the photos.
        shard: which share, "i/n". By default the environment tells, but not of photos that are
            named one by one: see `share_of`.
        collection: go on where a run was left also with photos that are named, and take the tar
            shards of folders too, as for stores.
        form: of `FORMS`; layers are PNG where no format is given.
        versions: a folder of colored versions of the photos, see `versions_in`; a photo without
            one will fail.

    Raises:
        UsageError: no photo; `out` is a file but must be a folder, or is or contains a folder of
            the photos; an extension cannot be written.
        ColorizerError: an input or the output cannot be listed.
    """
    if not 1 <= variants <= 100:
        raise UsageError(f"variants is {variants!r}; accepted are whole numbers from 1 to 100")
    given = [os.fspath(path) for path in paths]
    if manifest is not None and len(given) > 1:
        raise UsageError("a manifest takes one folder at most, to which its rows are relative")
    if manifest is None and not given:
        raise UsageError("no picture given; name one, several, a folder, or a --manifest")
    suffix = _suffix(format)
    inputs = [] if manifest is not None else [one for path in given for one in _inputs(path)]
    suffix = suffix or (".png" if form == "layer" else "")
    goal = _goal(inputs, None if out is None else os.fspath(out), suffix, collection)
    goal = goal._replace(behind=FORMS[form])
    check_form(form, goal.file.suffix if goal.file else suffix)
    several = collection or any(place.is_folder() for place, _ in inputs)
    several = several and goal.file is None
    share = share_of(shard) if several or shard is not None else (1, 1)
    plan = Plan(share=share, report=goal.folder if several else None)
    pairs = _named(inputs, goal) if manifest is None else _rows(manifest, given, goal, plan)
    if versions is not None:
        pairs = _with_versions(pairs, versions_in(versions))
    items = [each for item in _own(pairs, plan) for each in _varied(item, variants)]
    if not plan.photos:
        where = manifest or ", ".join(given)
        raise UsageError(f"no picture in {where}: looked for {' '.join(sorted(SUFFIXES))}")
    there = goal.folder.results({item.target for item in items}) if goal.folder else None
    looked = in_order(lambda item: _looked_at(item, there), items, _LOOKS if there else 0)
    for item, done in looked:
        (plan.done if done else plan.todo).append(item)
    return plan


def _suffix(format: str | None) -> str:
    suffix = f".{format.lower().removeprefix('.')}" if format else ""
    if suffix and suffix not in WRITABLE:
        raise UsageError(f"cannot write {suffix}; accepted are {' '.join(WRITABLE)}")
    return suffix


def _inputs(path: str) -> Iterator[tuple[Place, bool]]:
    """What a word of the request stands for; and whether that is one of those of a pattern."""
    own = place_of(path)
    found = find_all(own)
    if not found:
        raise UsageError(f"nothing fits the pattern {path}")
    yield from ((place, place is not own) for place in found)


def _goal(
    inputs: list[tuple[Place, bool]], out: str | None, suffix: str, collection: bool
) -> _Goal:
    if out is None:
        if collection:
            raise UsageError("photos of stores and manifests need an output; give it as -o OUT")
        if any(isinstance(place, Stream) for place, _ in inputs):
            raise UsageError("of a picture from standard input, name the output: -o FILE, or -o -")
        return _Goal(None, None, suffix, collection)
    target = place_of(out)
    lone = len(inputs) == 1 and not inputs[0][1] and not inputs[0][0].is_folder()
    if isinstance(target, Stream) or any(isinstance(place, Stream) for place, _ in inputs):
        if not lone:
            raise UsageError(f"- stands for one picture; these are {len(inputs) or 'several'}")
        if isinstance(target, Stream) and sys.stdout.isatty():
            raise UsageError("a picture is nothing for a screen; direct it: -o - > FILE")
        if isinstance(target, Stream):
            return _Goal(None, target, suffix, collection)
    folder = out.endswith(("/", os.sep)) or (target.is_local and target.is_folder())
    if lone and not folder and not collection and inputs[0][0].suffix != ARCHIVE:
        if target.suffix not in WRITABLE:
            raise UsageError(f"cannot write {out}: accepted are {' '.join(WRITABLE)}")
        return _Goal(None, target, suffix, collection)
    if target.suffix in WRITABLE and not folder:
        if lone and inputs[0][0].suffix != ARCHIVE:
            return _Goal(None, target, suffix, collection)
        raise UsageError(f"{out} is the name of a picture; several pictures need a folder")
    if target.is_local and target.path.exists() and not folder:
        raise UsageError(f"{out} is a file; several pictures need a folder to go to")
    for place, _ in inputs:
        if place.is_folder():
            _check_apart(place, target)
    return _Goal(target, None, suffix, collection)


def _check_apart(photos: Place, out: Place) -> None:
    """Raise UsageError if results would come to lie among the photos of a folder."""
    if not out.contains(photos):
        return
    if photos.contains(out):
        raise UsageError(
            f"{out.address} is the folder of the pictures themselves; name another one, or leave"
            " it out for NAME-colored.EXT beside each"
        )
    raise UsageError(
        f"{out.address} contains {photos.address}, a folder of the pictures; name another one"
    )


Pairs = Iterator[tuple[Item, str]]  # with the name of the result


def _rows(manifest: str, given: list[str], goal: _Goal, plan: Plan) -> Pairs:
    assert goal.folder is not None  # a manifest is a collection, which has an output
    seen = set()
    for source, name in read_manifest(manifest, given[0] if given else None):
        if (parent := source.rpartition("/")[0]) not in seen:
            _check_apart(place_of(parent or "."), goal.folder)
            seen.add(parent)
        made = result_name(name, goal.suffix)
        if not falls_to(_folded(made), plan.share):  # most of them, which is soon told
            plan.photos += 1
            continue
        place, target = place_of(source), (goal.folder / made).address
        yield Item(place.address, target, name, goal.suffix, resume=True), made


def _named(inputs: list[tuple[Place, bool]], goal: _Goal) -> Pairs:
    for place, by_pattern in inputs:
        if place.is_folder() and not (by_pattern and isinstance(place, Bucket)):
            for found in place.find(goal.folder, goal.collection):
                yield _paired(place / found.name, found, found.name, goal, True)
            continue
        last = PurePosixPath(place.address).name
        passed, problem = place.what_it_is(goal.collection) if by_pattern else ("", "")
        name = last if goal.collection else place.address
        yield _paired(place, Found(last, 0.0, passed, problem), name, goal, goal.collection)


def _with_versions(pairs: Pairs, version_of: Callable[[str], str]) -> Pairs:
    for item, name in pairs:
        if item.passed or item.problem:
            yield item, name
            continue
        try:
            yield item._replace(colors_from=version_of(name)), name
        except UsageError as error:
            yield item._replace(problem=f"{item.source}: {error}"), name


def _paired(source: Place, found: Found, name: str, goal: _Goal, resume: bool) -> tuple[Item, str]:
    item = Item(source.address, "", name, goal.suffix, found.modified, resume)
    if found.passed or found.problem:
        return item._replace(passed=found.passed, problem=found.problem), found.name
    if goal.file is not None:
        return item._replace(target=goal.file.address, resume=False), found.name
    made = _result(source, found.name, goal.suffix)
    if goal.folder is not None:
        return item._replace(target=(goal.folder / made).address), made
    if source.suffix == ARCHIVE:
        problem = f"the photos of {source.address} need an output; give it as -o OUT"
        return item._replace(problem=problem), made
    own = PurePosixPath(made)
    beside = Path(source.address).with_name(f"{own.stem}{goal.behind}{own.suffix}")
    return item._replace(target=str(beside)), made


def _result(source: Place, name: str, suffix: str) -> str:
    """The name of a result, with an extension that can be written."""
    made = result_name(name, "" if source.suffix == ARCHIVE else suffix)
    if PurePosixPath(made).suffix.lower() in (*WRITABLE, ARCHIVE):
        return made
    try:
        format = format_of(source.look(0, HEAD))
    except ColorizerError:  # which coloring will say again
        format = None
    return f"{name}{suffix or becoming(format)}"


def _own(pairs: Pairs, plan: Plan) -> Iterator[Item]:
    """The items of this share, all others counted; with their problems."""
    own: dict[str, Item] = {}
    rivals: dict[str, list[Item]] = {}
    for item, name in pairs:
        name = _folded(name)  # what would become one file is in one share
        if item.passed:
            if falls_to(name, plan.share):
                plan.passed.append(item)
            continue
        plan.photos += 1
        if falls_to(name, plan.share) and (other := own.setdefault(name, item)) is not item:
            rivals.setdefault(name, [other]).append(item)
    for name, item in own.items():
        if name in rivals:
            yield from _apart(list(dict.fromkeys(rivals[name])))
        else:
            yield _checked(item)


def _apart(items: list[Item]) -> Iterator[Item]:
    """Photos whose results are called alike; those that would become one file, with the problem."""
    work = [item for item in items if not item.problem]
    folds = len({item.target for item in work}) > 1 and place_of(work[0].target).folds_case()
    keys = [_folded(item.target) if folds else item.target for item in work]
    count = Counter(keys)
    yield from (item for item in items if item.problem)
    for item, key in zip(work, keys, strict=True):
        if count[key] == 1:
            yield _checked(item)
            continue
        names = " and ".join(o.source for o, k in zip(work, keys, strict=True) if k == key)
        told = f"{names} would become the same {item.target}; color them into two folders"
        yield item._replace(problem=told)


def _folded(name: str) -> str:
    """As file systems see it that do not tell case or forms of Unicode apart."""
    folded = name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()
    return name if folded == name else folded


def _checked(item: Item) -> Item:
    size = len(os.fsencode(PurePosixPath(item.target).name))
    if size <= _LONGEST or item.problem:
        return item
    told = f"{item.source}: the name of its result has {size} bytes, more than {_LONGEST}"
    return item._replace(problem=told)


def _varied(item: Item, variants: int) -> Iterator[Item]:
    if variants == 1 or item.problem:
        yield item
        return
    if item.target.lower().endswith(ARCHIVE):
        raise UsageError(f"{item.source} holds many photos; leave --variants out")
    folder, last = os.path.split(item.target)
    own = PurePosixPath(last)
    for variant in range(1, variants + 1):
        target = os.path.join(folder, f"{own.stem}-{variant}{own.suffix}")
        name = item.name if variant == 1 else f"{item.name} (variant {variant})"
        yield item._replace(target=target, name=name, variant=variant)


def _looked_at(item: Item, there: dict[str, float] | None) -> tuple[Item, bool]:
    """The item, and whether it is done: its target is ours, and not older where that is known."""
    if item.problem:
        return item, False
    if there is not None and item.target not in there:
        return item, False
    if not item.resume:
        return item, False
    target = place_of(item.target)
    made = target.modified() if there is None else there[item.target]
    modified = item.modified or place_of(item.source).modified() or 0.0
    if made is None or 0 < made < modified:
        return item, False
    try:
        return item, bool(target.is_ours())
    except ColorizerError:  # which coloring will say again
        return item, False
