"""Which picture of a folder is the colored version of which photo: told by names."""

import os
import posixpath
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

from colorizer.errors import UsageError
from colorizer.pictures.formats import SUFFIXES
from colorizer.support.tree import walk

__all__ = ["versions_in"]

_BEHIND = re.compile(r"[-_ ]?colou?r(?:ed|i[sz]ed)$", re.IGNORECASE)


def versions_in(folder: str | os.PathLike[str]) -> Callable[[str], str]:
    """Find the colored versions of photos in a folder of them, at the same relative places.

    They have the stems of their photos, perhaps with "-colored" or "_colorized" behind it.

    Args:
        folder: of pictures.

    Returns:
        From the name of a photo, relative to its folder, to the path of its version; which raises
        UsageError where there is none, or more than one.

    Raises:
        UsageError: the folder holds no pictures. ColorizerError: it cannot be listed.
    """
    root = Path(folder)
    known: dict[str, list[str]] = {}
    for entry in walk(root, None):
        if entry.path.suffix.lower() in SUFFIXES and not (entry.passed or entry.failed):
            stem = _stem(entry.path.relative_to(root).as_posix())
            known.setdefault(stem, []).append(str(entry.path))
            if (short := _BEHIND.sub("", stem)) != stem:
                known.setdefault(short, []).append(str(entry.path))
    if not known:
        raise UsageError(f"there is no picture in {root}; give a folder of colored versions")

    def version_of(name: str) -> str:
        stem = _stem(name)
        found = known.get(stem, [])
        found = [one for one in found if _stem(Path(one).name) == posixpath.basename(stem)] or found
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"{' and '.join(sorted(found))} have its name; leave one")
        raise UsageError(f"there is no colored version of its name in {root}")

    return version_of


def _stem(name: str) -> str:
    return unicodedata.normalize("NFC", posixpath.splitext(name)[0])
