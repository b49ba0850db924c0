"""`colorizer colorize` and `colorizer report`: what is asked for, done and told."""

import os
import sys
from functools import partial

from colorizer.errors import UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.options import ClusterOptions, ColorizeOptions, FolderOptions
from colorizer.places import on_ray
from colorizer.places.archive import ARCHIVE
from colorizer.places.on_threads import Engine, Outcome, run, threads, threads_of, workers_of
from colorizer.places.place import place_of
from colorizer.places.plan import Plan, plan
from colorizer.places.replaceable import check_replaceable
from colorizer.places.table import merge
from colorizer.support.stores import is_remote

__all__ = ["colorize", "report"]


def colorize(
    paths: list[str],
    output: str | None,
    model: str,
    options: ColorizeOptions,
    folder: FolderOptions,
    cluster: ClusterOptions,
    uncertainty: str | None = None,
) -> int:
    """Color photos, print what became of them, and give the exit status.

    Args:
        paths, output: see `plan`.
        model: a shipped model's name, or a model folder.
        uncertainty: where the map of one photo goes.

    Raises:
        UsageError: what is asked for contradicts itself.
        ColorizerError: an input cannot be listed, or the output not be written to.
    """
    ray = cluster.engine == "ray"
    collection = cluster != ClusterOptions() or any(
        is_remote(path) or path.lower().endswith(ARCHIVE) for path in [*paths, output or ""]
    )
    _check_options(options, folder, cluster, collection, "-" in (*paths, output), uncertainty)
    versions = None
    if isinstance(options.colors_from, str) and os.path.isdir(options.colors_from):
        versions, options = options.colors_from, options.changed({"colors_from": None})
    found = plan(
        paths,
        output,
        manifest=cluster.manifest,
        variants=folder.variants,
        format=folder.format,
        # Ray shares the work out itself, whatever its job was started by.
        shard="1/1" if ray and folder.shard is None else folder.shard,
        collection=collection,
        form=options.result,
        versions=versions,
    )
    of_one = {
        "hints are": options.hints,
        "an uncertainty map is": uncertainty,
        "a colored version (of several, give a folder) is": options.colors_from,
    }
    for what, wanted in of_one.items():
        if wanted is not None and found.photos > 1:
            raise UsageError(f"{what} of one photo; these are {found.photos}")
    own, count = found.share
    if not (found.todo or found.done or found.passed):
        several = f"{found.photos} photos" if found.photos > 1 else ", ".join(paths)
        _note(f"nothing to do: {several} not in share {own}/{count}")
    elif count > 1 and collection:
        print(f"share {own} of {count}: {len(found.todo)} to do", file=sys.stderr)
    engine: Engine
    if ray:
        colorizer = Colorizer(
            model, **vars(options) | {"threads": options.threads or 1, "device": "cpu"}
        )
        # The device is that of the workers, who load the model anew; this machine may lack it.
        colorizer.options = colorizer.options.changed({"device": options.device})
        on_ray.connect(cluster.address)
        engine = partial(
            on_ray.on_ray,
            colorizer=colorizer,
            overwrite=folder.overwrite,
            workers=folder.workers,
            cpus=cluster.cpus,
            gpus=cluster.gpus,
        )
    else:
        workers = workers_of(folder.workers, len(found.todo))
        number = options.threads or threads_of(workers)
        colorizer = Colorizer(model, **vars(options) | {"threads": number})
        engine = partial(
            threads,
            colorizer=colorizer,
            workers=workers,
            memory=folder.memory,
            overwrite=folder.overwrite,
        )
    if uncertainty and found.todo:
        if not folder.overwrite:
            check_replaceable(place_of(uncertainty))
        colorizer.with_options(variant=1).uncertainty_file(found.todo[0].source, uncertainty)
    result = run(found, engine, quiet=collection and found.report is not None)
    _tell(found, result, output, collection)
    return result.status


def report(folder: str) -> int:
    """Merge the reports in an output, print what they say, and give the exit status."""
    address, counts, failed = merge(folder)
    for row in failed[:20]:
        print(f"failed: {row.reason}", file=sys.stderr)
    if len(failed) > 20:
        print(f"and {len(failed) - 20} more", file=sys.stderr)
    done = counts["colored"] + counts["skipped"]
    print(f"{done} colored, {counts['failed']} failed\n{address}")
    return 1 if failed else 0


def _tell(found: Plan, result: Outcome, output: str | None, collection: bool) -> None:
    for note in result.notes:
        _note(note)
    counts, items = result.counts, len(found.todo) + len(found.done) + len(found.passed)
    if items == 1 and found.todo and not (collection and found.report):
        if counts["colored"] and found.todo[0].target != "-":
            print(found.todo[0].target)
    elif items:
        others = f", {counts['not a picture']} no pictures" if counts["not a picture"] else ""
        further = f"; colorizer report {output}" if collection else ""
        print(
            f"{counts['colored']} colored, {counts['skipped']} done before, {counts['failed']}"
            f" failed{others}{further}"
        )


def _check_options(
    options: ColorizeOptions,
    folder: FolderOptions,
    cluster: ClusterOptions,
    collection: bool,
    piped: bool,
    uncertainty: str | None,
) -> None:
    """No option is left out in silence because it is of other work."""
    if piped and (uncertainty or folder.variants > 1):
        raise UsageError("a picture of a pipe becomes one; leave out --uncertainty, --variants")
    if piped and cluster.engine == "ray":
        raise UsageError("- is of this process, and not of Ray's workers; leave --engine out")
    if collection and uncertainty:
        raise UsageError("an uncertainty map is of a photo of this machine, not of a store")
    if collection and options.hints is not None:
        raise UsageError("hints are of one photo of this machine; leave --hints out")
    if collection and options.colors_from is not None:
        raise UsageError("colored versions are of photos of this machine; leave --colors-from out")
    if cluster.engine == "ray" and folder.memory is not None:
        raise UsageError("a bound on memory is for the local engine; leave --memory out")
    if cluster.gpus is not None and options.device == "cpu":
        raise UsageError("--gpus keeps cards that nobody would use; add --device cuda")
    for name in ("address", "cpus", "gpus"):
        if cluster.engine == "local" and getattr(cluster, name) is not None:
            raise UsageError(f"--{name} is for Ray's workers; add --engine ray, or leave it out")


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)
