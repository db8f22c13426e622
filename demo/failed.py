"""How a step of the demo says that it did not hold."""

from __future__ import annotations


class DemoFailed(Exception):
    """What went wrong, and what to do about it."""


def must(condition: bool, message: str) -> None:
    """Raises DemoFailed with `message` unless `condition` holds."""
    if not condition:
        raise DemoFailed(message)
