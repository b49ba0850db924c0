"""Films: colored without flicker, and with nothing else touched."""

from colorizer.film.run import Result, colorize_film

__all__ = ["Result", "colorize_film"]
