"""Whether the hub of pretrained weights can be reached, and what its cache on this machine has."""

import socket
import threading
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path

__all__ = ["cached_file", "hub_answers"]


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
