"""The page as static files, which color photos in the visitor's own browser."""

from colorizer.site.write import write_site

__all__ = ["write_site"]
