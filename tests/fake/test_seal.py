"""Seals: made for one vendor, one answer and one text, and known again byte for byte."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.fake.seal import Vendor, judge, make_seal

VENDORS: list[Vendor] = ["anthropic", "gemini", "openai"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_seal_is_known_for_what_it_was_made_for_and_nothing_else(vendor: Vendor) -> None:
    """Equal answers get equal seals; another text or vendor has none of it."""
    seal = make_seal(vendor, "a1", "text")
    assert seal == make_seal(vendor, "a1", "text") != make_seal(vendor, "a2", "text")
    assert judge(vendor, seal, "text") == "own"
    assert judge(vendor, seal, "other") == "broken"
    assert [judge(other, seal, "text") for other in VENDORS if other != vendor] == ["foreign"] * 2


@given(st.sampled_from(VENDORS), st.integers(0, 200), st.sampled_from("Aaz09"))
def test_no_byte_of_it_can_be_changed(vendor: Vendor, at: int, put: str) -> None:
    """Whatever is replaced or cut off, it is not the fake's own."""
    seal = make_seal(vendor, "a1", "text")
    at %= len(seal)
    changed = seal[:at] + put + seal[at + 1 :]
    assert (judge(vendor, changed, "text") == "own") is (changed == seal)
    assert judge(vendor, seal[:at], "text") != "own"
    assert judge(vendor, seal + put, "text") != "own"


@given(st.none() | st.integers() | st.text(max_size=40))
def test_anything_else_is_broken(given_seal: object) -> None:
    """However it looks, it raises nothing."""
    assert judge("gemini", given_seal, "") == "broken"


def test_googles_field_is_of_bytes() -> None:
    """A client that decodes and encodes them again may use the other alphabet: the bytes are the same."""
    seals = [make_seal("gemini", str(number), "") for number in range(20)]
    others = [urlsafe_b64encode(b64decode(seal)).decode() for seal in seals]
    assert others != seals
    assert {judge("gemini", other, "") for other in others} == {"own"}
