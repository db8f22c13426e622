"""Times as text and back; what is no time is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.moment import EPOCH, rfc3339, unix_seconds


@given(st.integers(1, 253_402_300_799))
def test_every_second_that_a_calendar_has_reads_back(seconds: int) -> None:
    text = rfc3339(seconds)
    assert text is not None
    assert unix_seconds(text) == seconds


@pytest.mark.parametrize("seconds", [0, -1, 253_402_300_800, 10**30])
def test_what_no_calendar_has_is_no_time(seconds: int) -> None:
    assert rfc3339(seconds) is None


@pytest.mark.parametrize("text", [None, "", EPOCH, "yesterday", "0001-01-01T00:00:00+14:00"])
def test_what_says_no_time_is_none(text: str | None) -> None:
    """Nor is one before the epoch, nor the epoch itself, which stands where a time must."""
    assert unix_seconds(text) == 0


def test_fractions_and_zones_are_read() -> None:
    """Vendors write both, and Go's servers nine digits."""
    assert unix_seconds("2023-11-14T23:13:20.123456789+01:00") == 1_700_000_000
