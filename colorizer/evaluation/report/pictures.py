"""The pictures of a report: thumbnails inside the page, and the contact sheet."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

__all__ = ["contact_sheet", "embedded", "framed"]

_THUMBNAIL = 224  # pixels, of the longer side
_SHEET = (160, 120)
_SHEET_COLUMNS = 6


def embedded(
    picture: np.ndarray, side: int = _THUMBNAIL, kind: str = "jpeg", quality: int = 85
) -> str:
    """(H, W, 3) uint8, sRGB -> a picture of at most `side` pixels each way, as a data URL."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, kind, quality=quality)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def framed(picture: np.ndarray) -> Image.Image:
    """(H, W, 3) uint8, sRGB -> a tile of the contact sheet."""
    image = Image.fromarray(picture)
    image.thumbnail(_SHEET, Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", _SHEET, "white")
    width, height = image.size
    canvas.paste(image, ((_SHEET[0] - width) // 2, (_SHEET[1] - height) // 2))
    return canvas


def contact_sheet(columns: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Photos side by side, each above what became of it, six to a line."""
    width, height = _SHEET
    lines = -(-len(columns) // _SHEET_COLUMNS)
    block = height * len(columns[0]) + 12
    across = min(len(columns), _SHEET_COLUMNS)
    sheet = Image.new("RGB", (width * across, block * lines - 12), "white")
    for i, column in enumerate(columns):
        for row, picture in enumerate(column):
            left, top = width * (i % _SHEET_COLUMNS), block * (i // _SHEET_COLUMNS)
            sheet.paste(picture, (left, top + height * row))
    return sheet
