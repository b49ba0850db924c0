"""Names of photos as users give them, made into names that every system can store."""

import re
import unicodedata

__all__ = ["safe_name"]

_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.I
)
_JOINERS = "\u200c\u200d"  # of Persian words and of emoji; all other format characters go
_LONGEST_SUFFIX = 20  # bytes


def safe_name(name: str, most: int = 200) -> str:
    """A file name that means nothing to any system, and still tells a reader which photo it is.

    Controls and marks that turn the direction of text are left out, what a path or Windows takes
    for itself is replaced, and a long stem is cut; the extension stays.

    Args:
        most: bytes of UTF-8; file systems take 255.
    """
    kept = (
        one
        for one in _FORBIDDEN.sub("_", name)
        if one in _JOINERS or unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
    )
    name = "".join(kept).strip(". ")
    if _RESERVED.match(name):
        name = f"_{name}"
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix.encode()) > _LONGEST_SUFFIX:
        stem, dot, suffix = name, "", ""
    room = most - len(f"{dot}{suffix}".encode())
    stem = stem.encode()[:room].decode(errors="ignore").rstrip(". ")
    return f"{stem}{dot}{suffix}" or "photo"
