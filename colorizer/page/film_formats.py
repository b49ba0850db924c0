"""What a film of the page can be made as."""

__all__ = ["FILM_FORMATS"]

FILM_FORMATS = {
    "mkv": (".mkv", "h264", "MKV"),
    "mp4": (".mp4", "h264", "MP4"),
    "mov": (".mov", "h264", "MOV"),
    "webm": (".webm", "vp9", "WebM"),
    "lossless": (".mkv", "ffv1", "MKV, lossless"),
}
"""Key -> extension, codec, and what a person calls it."""
