"""What may be replaced: a result of ours, known by its mark, and never a source."""

from contextlib import suppress

from colorizer.errors import ColorizerError
from colorizer.places.place import Place

__all__ = ["check_replaceable"]


def check_replaceable(target: Place, source: Place | None = None) -> None:
    """Raise ColorizerError where a file is that is no result of ours, or is the source itself."""
    ours = target.is_ours()
    if ours is None:
        return
    if not ours:
        raise ColorizerError(
            f"{target.address} is there already and bears no mark of ours, so it is not replaced;"
            " name another output, or say --overwrite"
        )
    if source is not None and _same(source, target):
        raise ColorizerError(
            f"{source.address} would be replaced by its own result; name another output, or say"
            " --overwrite"
        )


def _same(one: Place, other: Place) -> bool:
    if one.is_local and other.is_local:
        with suppress(OSError):
            return one.path.samefile(other.path)
    return one.contains(other) and other.contains(one)
