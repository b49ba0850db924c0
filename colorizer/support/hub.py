"""The Hugging Face hub: whether it can be reached, what its cache has, a repository's files."""

import re
import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from colorizer.errors import ColorizerError, UsageError
from colorizer.support.machine import user_cache

__all__ = ["HUB", "cached_file", "fetched", "hub_answers"]

HUB = "hf://"
"""How addresses of the hub begin."""


def hub_answers(timeout: float = 5.0) -> bool:
    """Whether the hub can be reached at all: its own client retries for most of a minute.

    Through a proxy it is believed to be reachable; under HF_HUB_OFFLINE it is not.

    Args:
        timeout: seconds for all of it, name lookup and every address of the hub.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    host = urllib.parse.urlsplit(constants.ENDPOINT)
    proxies = urllib.request.getproxies().keys() - {"no"}  # which hosts have none, tells no proxy
    if proxies and not urllib.request.proxy_bypass(host.hostname or ""):
        return True
    port = host.port or (80 if host.scheme == "http" else 443)
    done, answered = threading.Event(), False

    def connect() -> None:
        nonlocal answered
        with suppress(OSError, UnicodeError):  # no way there, or no such name
            socket.create_connection((host.hostname or "", port), timeout=timeout).close()
            answered = True
        done.set()

    # In a thread: the name lookup knows no timeout, and each address would have one of its own.
    threading.Thread(target=connect, daemon=True).start()
    done.wait(timeout)
    return answered


def cached_file(repository: str, *filenames: str) -> Path | None:
    """The first of these files of a hub repository that its cache on this machine has."""
    from huggingface_hub import try_to_load_from_cache

    for filename in filenames:
        found = try_to_load_from_cache(repository, filename)
        if isinstance(found, str):  # else None, or a mark that the hub has no such file
            return Path(found)
    return None


def fetched(address: str, needed: Iterable[str], more: Iterable[str] = ()) -> Path:
    """A folder with files of a repository: the newest if the hub answers, else those of before.

    They are data: nothing in them is executed.

    Args:
        address: `hf://USER/REPOSITORY`, or `hf://USER/REPOSITORY@REVISION`.
        needed: names of files.
        more: of files that may be missing.

    Raises:
        UsageError: no such address, or the hub's package is missing. ColorizerError: the hub is out
            of reach and the files were never fetched; or it does not have them.
    """
    match = re.fullmatch(r"hf://([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", address)
    if match is None or ".." in address:
        raise UsageError(f"{address}: an address of the hub is hf://USER/REPOSITORY[@REVISION]")
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError
    except ImportError as error:
        raise UsageError(
            f"{address} needs the hub's package: pip install huggingface_hub"
        ) from error
    repository, revision = match.groups()
    folder = user_cache() / "hub" / re.sub(r"[/@]", "--", address.removeprefix(HUB))
    needed = list(needed)
    whole = all((folder / name).is_file() for name in needed)
    if not hub_answers():
        if whole:
            return folder
        raise ColorizerError(
            f"{address}: the hub is out of reach, and was never asked for it before: connect, or "
            "give the path of a model folder"
        )
    try:
        for name in needed:
            hf_hub_download(repository, name, revision=revision, local_dir=folder)
        for name in more:
            with suppress(EntryNotFoundError):
                hf_hub_download(repository, name, revision=revision, local_dir=folder)
    except Exception as error:  # the hub's errors share no base class
        reason = " ".join(str(error).split())[:200]
        raise ColorizerError(f"{address}: {type(error).__name__}: {reason}") from error
    return folder
