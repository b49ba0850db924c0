"""What went wrong, in one sentence that a user can act on."""

__all__ = ["ColorizerError", "UnknownNameError", "UsageError"]


class ColorizerError(Exception):
    """An input could not be handled; the message names it and the nearest fix (exit status 1)."""


class UsageError(ColorizerError, ValueError):
    """The request itself is wrong: an option, a setting, a value (exit status 2)."""


class UnknownNameError(UsageError):
    """A name that no registry knows; the message lists the known ones, the nearest first."""
