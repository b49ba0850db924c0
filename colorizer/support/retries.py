"""Requests that may be tried again, and what to say of those that failed for good."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from colorizer.errors import ColorizerError

__all__ = ["persist"]

Answer = TypeVar("Answer")

_ATTEMPTS = 5
_PAUSE = 0.5  # seconds, doubled after each attempt
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_CLIENTS = {"botocore", "aiobotocore", "aiohttp", "google", "gcsfs", "azure", "requests", "urllib3"}


def persist(action: Callable[[], Answer], address: str) -> Answer:
    """What the action gives; what is passing - a cut connection, a busy store - is tried again.

    Five times in all, with pauses of 0.5 to 8 seconds, more or less: clients that failed together
    should not come back together.

    Args:
        action: may be repeated: a read, or a write of a whole file.
        address: of what it is about, for the message.

    Raises:
        ColorizerError: it failed five times, or for good.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return action()
        except Exception as error:
            if not _is_passing(error) or attempt == _ATTEMPTS:
                raise ColorizerError(f"{address}: {_reason(error, attempt)}") from error
            time.sleep(_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
    raise AssertionError


def _is_passing(error: Exception) -> bool:
    if isinstance(error, _FINAL) or "Credentials" in type(error).__name__:
        return False
    client = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError | TimeoutError) or client in _CLIENTS


def _reason(error: Exception, attempts: int) -> str:
    told = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return "there is no such bucket" if "bucket" in told.lower() else "there is no such file"
    if isinstance(error, PermissionError):
        return f"no permission ({told})"
    if "Credentials" in type(error).__name__:
        return f"no credentials for this store ({told}); set them as its own tools want them"
    if isinstance(error, NotImplementedError):
        return "this store cannot be written to"
    return told if attempts == 1 else f"{told} (tried {attempts} times)"
