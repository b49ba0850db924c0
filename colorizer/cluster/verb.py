"""`colorizer colorize` of stores, manifests and shards, and `colorizer report`."""

import sys
from functools import partial
from pathlib import PurePosixPath

from colorizer.cluster import on_ray
from colorizer.cluster.parts import merge
from colorizer.cluster.plan import SHARD, Item, plan
from colorizer.cluster.run import Engine, run, threads
from colorizer.cluster.work import color_item
from colorizer.errors import UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.folders.run import threads_of, workers_of
from colorizer.options import ClusterOptions, ColorizeOptions, FolderOptions
from colorizer.pictures.formats import WRITABLE
from colorizer.support.shares import share_of
from colorizer.support.stores import Store, is_remote

__all__ = ["colorize", "is_wanted", "report"]


def is_wanted(paths: list[str], output: str | None, cluster: ClusterOptions) -> bool:
    """Whether a request is about more than files and folders of this machine."""
    named = [*paths, output or ""]
    shards = any(path.lower().endswith(SHARD) for path in paths)
    return cluster != ClusterOptions() or shards or any(is_remote(path) for path in named)


def colorize(
    paths: list[str],
    output: str | None,
    model: str,
    options: ColorizeOptions,
    folder: FolderOptions,
    cluster: ClusterOptions,
) -> int:
    """Color them, print what became of them, and give the exit status.

    Raises:
        UsageError: what is asked for contradicts itself, or cannot be had of stores.
        ColorizerError: an input cannot be listed, or the output not be written to.
    """
    if folder.variants > 1:
        raise UsageError("variants are for files and folders of this machine; leave --variants out")
    if folder.format or folder.overwrite:
        raise UsageError(
            "--format and --overwrite are for files and folders of this machine; leave them out"
        )
    if output is None:
        raise UsageError("photos of stores and manifests need an output; give it as -o OUT")
    if not paths and cluster.manifest is None:
        raise UsageError("no photo given; name a folder, a pattern, or a --manifest")
    if cluster.manifest is None and PurePosixPath(output).suffix.lower() in WRITABLE:
        return _one(paths, output, Colorizer(model, **vars(options)))
    _check_engine(folder, cluster)
    out = Store(output)
    ray = cluster.engine == "ray"
    # Ray shares the work out itself, whatever its job was started by.
    share = share_of("1/1" if ray and folder.shard is None else folder.shard)
    found = plan(paths, out, manifest=cluster.manifest, share=share)
    if share[1] > 1:
        print(f"share {share[0]} of {share[1]}: {len(found.todo)} to do", file=sys.stderr)
    engine: Engine
    if ray:
        own = {"threads": options.threads or 1, "device": "cpu"}
        colorizer = Colorizer(model, **vars(options) | own)
        # The device is that of the workers, who load the model anew; this machine may lack it.
        colorizer.options = colorizer.options.changed({"device": options.device})
        on_ray.connect(cluster.address)
        engine = partial(
            on_ray.on_ray,
            colorizer=colorizer,
            workers=folder.workers,
            cpus=cluster.cpus,
            gpus=cluster.gpus,
        )
    else:
        workers = workers_of(folder.workers, len(found.todo))
        own = {"threads": options.threads or threads_of(workers)}
        colorizer = Colorizer(model, **vars(options) | own)
        engine = partial(threads, colorizer=colorizer, workers=workers, memory=folder.memory)
    counts = run(found, out, engine, share)
    print(
        f"{counts['colored']} colored, {counts['skipped']} done before, {counts['failed']} failed;"
        f" colorizer report {output}"
    )
    return 1 if counts["failed"] else 0


def report(folder: str) -> int:
    """Merge the parts of a report, print what they say, and give the exit status."""
    address, counts, failed = merge(folder)
    for row in failed[:20]:
        print(f"failed: {row.reason}", file=sys.stderr)
    if len(failed) > 20:
        print(f"and {len(failed) - 20} more", file=sys.stderr)
    done = counts["colored"] + counts["skipped"]
    print(f"{done} colored, {counts['failed']} failed\n{address}")
    return 1 if failed else 0


def _check_engine(folder: FolderOptions, cluster: ClusterOptions) -> None:
    """No option is left out in silence because it is another engine's."""
    if cluster.engine == "ray" and folder.memory is not None:
        raise UsageError("a bound on memory is for the local engine; leave --memory out")
    for name in ("address", "cpus", "gpus"):
        if cluster.engine == "local" and getattr(cluster, name) is not None:
            raise UsageError(f"--{name} is for Ray's workers; add --engine ray, or leave it out")


def _one(paths: list[str], output: str, colorizer: Colorizer) -> int:
    """One photo into a file whose name is given."""
    source = paths[0]
    if len(paths) > 1 or PurePosixPath(source).suffix.lower() not in WRITABLE or "*" in source:
        raise UsageError(f"{output} is the name of a picture; several photos need a folder")
    if source == output:
        raise UsageError(f"{source} would be replaced by its result; give another output")
    parent, _, name = output.rpartition("/")
    (row,) = color_item(Item(source, name), Store(parent or "."), colorizer)
    if row.status == "failed":
        print(f"failed: {row.reason}", file=sys.stderr)
        return 1
    if row.reason:
        print(f"note: {row.reason}", file=sys.stderr)
    print(output)
    return 0
