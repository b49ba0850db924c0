"""Bytes that bear the mark of a result, and are nothing else."""

from colorizer.pictures.metadata.xmp import mark_xmp

MARKED = mark_xmp(b"", "Colorizer, model tiny", "1")[0]
