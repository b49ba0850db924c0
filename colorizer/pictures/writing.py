"""How far the writing of a picture is, told while it goes on; and an end to it, when asked for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyvips

__all__ = ["measured", "measuring"]

_Told = tuple[Callable[[float], bool], list[Any]]
_tell: ContextVar[_Told | None] = ContextVar("tell", default=None)


@contextmanager
def measuring(tell: Callable[[float], bool]) -> Iterator[None]:
    """Inside, in this thread, pictures that are written tell how far they are.

    Args:
        tell: is given the share, 0..1, of the pixels of a page; True ends the writing, which then
            raises ColorizerError. Formats that are packed at the end (WebP, AVIF) end after that.
    """
    token = _tell.set((tell, []))  # pyvips wants the images alive for as long as they tell
    try:
        yield
    finally:
        _tell.reset(token)


def measured(image: "pyvips.Image") -> "pyvips.Image":
    """The image, whose pipeline will tell what `measuring` asks for."""
    found = _tell.get()
    if found is None:
        return image
    tell, alive = found
    image = image.copy()
    image.set_progress(True)

    def told(inner: "pyvips.Image", progress: Any) -> None:
        if tell(progress.percent / 100):
            inner.set_kill(True)

    image.signal_connect("eval", told)
    alive.append(image)
    return image
