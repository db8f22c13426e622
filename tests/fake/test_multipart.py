"""Forms: fields and files, whatever bytes the files have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.fake.multipart import Part, read_form
from gateline.fake.request import Request


def form(body: bytes, kind: str = "multipart/form-data; boundary=b0") -> Request:
    return Request("POST", "/", "1.1", [("Content-Type", kind)], body)


@given(st.binary(max_size=200).filter(lambda data: b"--b0" not in data))
def test_a_files_bytes_are_kept(data: bytes) -> None:
    """Line ends and all, beside a plain field."""
    body = (
        b'--b0\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n'
        b'--b0\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
        + data
        + b"\r\n--b0--\r\n"
    )
    assert read_form(form(body)) == [Part("model", "", "", b"whisper"), Part("file", "a.wav", "audio/wav", data)]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("application/json", "must be multipart"),
        ("multipart/form-data", "must be"),
        ("multipart/form-data; boundary=c", "does not end"),
    ],
)
def test_what_is_no_form_raises_value_error(kind: str, message: str) -> None:
    """Another type, no boundary, a boundary that does not come."""
    with pytest.raises(ValueError, match=message):
        read_form(form(b"--b0\r\n\r\n--b0--", kind))


def test_a_form_has_a_bound() -> None:
    """More than 64 parts are refused."""
    part = b'--b0\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'
    assert len(read_form(form(part * 64 + b"--b0--\r\n"))) == 64
    with pytest.raises(ValueError, match="at most 64 parts"):
        read_form(form(part * 65 + b"--b0--\r\n"))
