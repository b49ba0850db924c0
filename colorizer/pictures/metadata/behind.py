"""What stands behind the end of a picture in its file, in words."""

import re

__all__ = ["behind"]

_FILM = re.compile(rb"ftyp(?:mp4|iso|qt  |avc|3gp|M4V|MSNV|mmp4|dash)")


def behind(data: bytes, pictures: int = 1) -> tuple[str, ...]:
    """What bytes behind a picture are; nothing of padding.

    Args:
        pictures: how many the file says that it holds, this one among them.
    """
    data = data.strip(b"\0 \r\n\t")
    if not data:
        return ()
    found = ["the film behind the picture (a motion photo)"] * bool(_FILM.search(data))
    if data.endswith((b"SEFT", b"QDIOBS")):
        found.append("a trailer of Samsung's camera")
    if not found and pictures == 1:
        kind = "a further picture" if data.startswith(b"\xff\xd8") else f"{len(data)} bytes"
        found.append(f"{kind} behind the picture")
    return tuple(found)
