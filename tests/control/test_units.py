"""Sizes and durations, as people write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateline.control.units import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("32MiB", 2**25), ("64 KiB", 65_536), ("10MB", 10**7), ("1GiB", 2**30), ("7", 7), (9, 9), ("5B", 5)],
)
def test_a_size_is_read(text: Any, bytes_: int) -> None:
    assert parse_size(text) == bytes_


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("10s", 10), ("5m", 300), ("2h", 7_200), ("1.5s", 1.5), (3, 3), (Decimal("0.25"), 0.25)],
)
def test_a_duration_is_read(text: Any, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("wrong", ["", "MiB", "1.5MiB", "-1", -1, True, None, [], "1 lightyear", "٣MiB", "1e3"])
def test_what_is_no_size_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="must be a size"):
        parse_size(wrong)


@pytest.mark.parametrize("wrong", ["", "s", "-1s", -1, True, None, [], "1d", "1S", "٣s", "1e3", "inf", "nan"])
def test_what_is_no_duration_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        parse_duration(wrong)
