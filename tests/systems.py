"""Why a test does not run on every system."""

import os

import pytest

__all__ = ["needs_posix"]


def needs_posix(what: str) -> pytest.MarkDecorator:
    """Skip a test on Windows, which lacks `what`."""
    return pytest.mark.skipif(os.name != "posix", reason=f"Windows has no {what}")
