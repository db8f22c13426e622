"""Calls that come as a form: what is read of them, what is refused, and that files go on uncopied."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.form import is_form, read_form, write_form
from gateline.model.call import Operation
from gateline.model.errors import BadRequest
from gateline.wire.multipart import read_parts

BOUNDARY = "b-0123456789"
TYPE = f"multipart/form-data; boundary={BOUNDARY}".encode()
FILE = ("file", b"RIFF\x00\xff\r\n--b", "a.wav")
MODEL = ("model", b"m", None)

Field = tuple[str, bytes, str | None]


def form(*fields: Field) -> bytes:
    body = b""
    for name, value, filename in fields:
        file = "" if filename is None else f'; filename="{filename}"'
        body += (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"
        )
    return body + f"--{BOUNDARY}--\r\n".encode()


def read(*fields: Field, operation: Operation = "audio.transcriptions") -> object:
    return read_form(form(*fields), TYPE, operation)


def test_the_fields_that_are_decided_on_are_read() -> None:
    """Model, stream and user; the others that matter are kept as they stand."""
    call = read_form(
        form(FILE, MODEL, ("stream", b"true", None), ("user", b"u", None), ("response_format", b"srt", None)),
        TYPE,
        "audio.transcriptions",
    )
    assert (call.operation, call.model, call.stream, call.user) == ("audio.transcriptions", "m", True, "u")
    assert bytes(call.fields["response_format"]) == b"srt"
    assert "file" not in call.fields


@pytest.mark.parametrize(
    ("text", "stream"), [(b"true", True), (b"True", True), (b"1", True), (b"false", False), (b"0", False), (b"", False)]
)
def test_a_truth_is_read_as_clients_write_it(text: bytes, stream: bool) -> None:
    assert read_form(form(MODEL, ("stream", text, None)), TYPE, "images.edits").stream is stream


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ([FILE], "model"),
        ([FILE, ("model", b"", None)], "model"),
        ([MODEL, MODEL, FILE], "model"),
        ([MODEL, FILE, ("stream", b"true", None), ("stream", b"false", None)], "stream"),
        ([MODEL, FILE, ("Model", b"other", None)], "model"),
        ([MODEL, FILE, ("MODEL", b"other", "file.txt")], "model"),
        ([MODEL, FILE, ("model[]", b"other", None)], "model"),
        ([MODEL, FILE, ("model ", b"other", None)], "model"),
        ([MODEL, FILE, ("\N{LATIN SMALL LETTER LONG S}tream", b"true", None)], "stream"),
        ([("model", b"m", "model.txt"), FILE], "model"),
        ([("model", b"m" * 2_000, None), FILE], "model"),
        ([("model", b"\xff", None), FILE], "model"),
        ([MODEL, FILE, ("stream", b"maybe", None)], "stream"),
    ],
)
def test_what_two_readers_could_take_differently_is_refused(fields: list[Field], param: str) -> None:
    """With the field's name."""
    with pytest.raises(BadRequest) as refused:
        read(*fields)
    assert refused.value.param == param


def test_a_translation_is_no_stream() -> None:
    """The API has none."""
    with pytest.raises(BadRequest) as refused:
        read(MODEL, FILE, ("stream", b"true", None), operation="audio.translations")
    assert refused.value.param == "stream"


def test_only_json_is_no_form() -> None:
    """A body of no type, or of another, is told that a form is wanted."""
    assert not is_form(b"application/json; charset=utf-8")
    assert is_form(b"")
    with pytest.raises(BadRequest, match="multipart/form-data"):
        read_form(b"hello", b"text/plain", "audio.transcriptions")


_FIELD = st.tuples(st.sampled_from(["file", "prompt", "language", "image[]"]), st.binary(max_size=200), st.none())


@given(before=st.lists(_FIELD, max_size=3), behind=st.lists(_FIELD, max_size=3), target=st.text("abc-./:", min_size=1))
def test_only_the_model_changes(before: list[Field], behind: list[Field], target: str) -> None:
    """Wherever it stands: the parts before and behind it are as they were, byte for byte."""
    body = form(*before, MODEL, *behind)
    call = read_form(body, TYPE, "audio.transcriptions")
    written = b"".join(write_form(call, body, target))
    assert written == form(*before, ("model", target.encode(), None), *behind)


def test_a_file_is_not_copied() -> None:
    """It goes on as a view of the body that came."""
    body = form(MODEL, ("file", b"x" * 1_000_000, "a.wav"))
    call = read_form(body, TYPE, "audio.transcriptions")
    pieces = write_form(call, body, "whisper-1")
    assert sum(len(piece) for piece in pieces if isinstance(piece, bytes)) < 200
    assert all(piece.obj is body for piece in pieces if isinstance(piece, memoryview))
    assert [part.name for part in read_parts(b"".join(pieces), TYPE)] == ["model", "file"]


def test_a_target_that_holds_the_clients_boundary_is_refused() -> None:
    """It would end the field early."""
    body = form(MODEL, FILE)
    call = read_form(body, TYPE, "audio.transcriptions")
    with pytest.raises(BadRequest):
        write_form(call, body, f"x--{BOUNDARY}")
