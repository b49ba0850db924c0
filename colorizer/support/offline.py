"""What libraries would send, or ask for, by themselves: turned off before they are imported."""

import os

__all__ = ["SWITCHES", "stay_offline"]

SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",  # from 1.29 on: a device id and events, on Linux too
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
}
"""Variables of the environment, which child processes inherit; a user's own value stays."""


def stay_offline() -> None:
    """Set those of `SWITCHES` that are not set: the libraries read them when they are imported."""
    for name, value in SWITCHES.items():
        if not os.environ.get(name):
            os.environ[name] = value
