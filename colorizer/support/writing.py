"""Small files of a run, written whole or not at all."""

from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: Path, text: str) -> None:
    """Replace a file by `text`; a process that is killed leaves the old or the new one."""
    work = path.with_name(f"{path.name}.tmp")
    work.write_text(text, encoding="utf-8", newline="")
    work.replace(path)
