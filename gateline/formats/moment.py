"""Moments as text (RFC 3339), for formats that have no Unix time."""

from __future__ import annotations

from datetime import UTC, datetime

EPOCH = "1970-01-01T00:00:00Z"  # for clients that must have a time, of what has none
_CALENDARS_END = 253_402_300_800  # the first second of the year 10000


def rfc3339(seconds: int) -> str | None:
    """The text of a Unix time; None for no time, or none that a calendar has."""
    if not 0 < seconds < _CALENDARS_END:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unix_seconds(text: str | None) -> int:
    """The Unix time of a text; 0 for none."""
    if not text:
        return 0
    try:
        return max(int(datetime.fromisoformat(text).timestamp()), 0)
    except (ValueError, OverflowError):
        return 0
