"""The local web page: drop a photo, see it in color, correct it, download it at full size."""

from pathlib import Path

__all__ = ["STATIC"]

STATIC = Path(__file__).parent / "static"
"""What a browser loads: page, styles, scripts."""
