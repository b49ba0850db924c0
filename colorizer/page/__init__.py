"""The local web page: drop a photo, see it in color, correct it, download it at full size."""
