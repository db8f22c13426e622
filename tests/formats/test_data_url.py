"""Bytes inside addresses: read as RFC 2397 has them, and nothing else taken for such."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.data_url import Held, data_url, read_data_url
from gateline.model.chat import Media


@given(st.binary(), st.sampled_from(["image/png", "text/plain", "application/pdf"]))
def test_what_is_written_reads_back(data: bytes, mime: str) -> None:
    held = Held(mime, base64.b64encode(data).decode())
    assert read_data_url(data_url(Media(kind="file", mime=mime, data=held.data), "image/gif")) == held
    assert read_data_url(data_url(Media(kind="file", data=held.data), mime)) == held


@pytest.mark.parametrize(
    ("url", "held"),
    [
        ("DATA:Image/PNG;Base64,AAAA", Held("image/png", "AAAA")),
        ("data:text/plain;charset=utf-8;base64,aGk=", Held("text/plain", "aGk=")),
        ("data:,h%69", Held("", "aGk=")),
        ("data:text/plain;charset=utf-8,hi", Held("text/plain", "aGk=")),
    ],
)
def test_every_way_to_write_one_is_understood(url: str, held: Held) -> None:
    """Whatever the case of its letters; text that is escaped instead becomes base64 too."""
    assert read_data_url(url) == held


@pytest.mark.parametrize("url", ["", "https://a.example/data:,x", "data:", "data:image/png;base64", "AAAA"])
def test_other_addresses_hold_nothing(url: str) -> None:
    assert read_data_url(url) is None
