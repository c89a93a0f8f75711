"""The value in force of one of Intacct's settings."""

from typing import Any

from sandbox.context import sandbox


def setting(name: str) -> Any:
    return sandbox().switchboard.settings[name]
