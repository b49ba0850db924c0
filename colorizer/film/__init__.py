"""Films: colored without flicker, and with nothing else touched."""

from colorizer.film.colorize import Result, colorize_film

__all__ = ["Result", "colorize_film"]
