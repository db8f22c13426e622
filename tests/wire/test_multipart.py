from __future__ import annotations

import itertools

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.model.errors import BadRequest
from gateline.wire import multipart
from gateline.wire.multipart import Body, find_part, read_boundary, read_parts, with_field

KIND = b"multipart/form-data; boundary=xyz"
MODEL = b'Content-Disposition: form-data; name="model"\r\n\r\nwhisper-1'
FILE = (
    b'content-disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n\x00\r\n-\r\n--xy'
)


def form(*parts: bytes, boundary: bytes = b"xyz", end: bytes = b"--\r\n") -> bytes:
    pieces = [b"--%b\r\n%b\r\n" % (boundary, part) for part in parts]
    return b"".join(pieces) + b"--" + boundary + end


def seen(body: Body, content_type: bytes = KIND) -> list[tuple[str, str | None, str, bytes]]:
    return [
        (part.name, part.filename, part.content_type, bytes(body[part.start : part.end]))
        for part in read_parts(body, content_type)
    ]


def refused(body: bytes, content_type: bytes = KIND) -> str:
    """What is wrong with the form, said of bytes and of a view alike."""
    with pytest.raises(BadRequest) as caught:
        read_parts(body, content_type)
    with pytest.raises(BadRequest) as again:
        read_parts(memoryview(body), content_type)
    assert str(caught.value) == str(again.value)
    assert caught.value.reason == "invalid_multipart"
    return str(caught.value)


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_parts_are_found_where_they_are(wrap: type[bytes] | type[bytearray] | type[memoryview]) -> None:
    """Name, file name, type and span of each part, whatever holds the body; a value may hold all but the boundary."""
    body = wrap(form(MODEL, FILE))
    assert seen(body) == [
        ("model", None, "", b"whisper-1"),
        ("file", "a.wav", "audio/wav", b"\x00\r\n-\r\n--xy"),
    ]
    assert read_parts(wrap(form()), KIND) == []


FILENAMES = ["a.wav", 'q"uote.wav', "caf\u00e9 \U0001f600.wav", "semi;colon=x.wav", "per%cent.wav", ""]


@pytest.mark.parametrize("filename", FILENAMES)
def test_forms_of_httpx_are_read(filename: str) -> None:
    """What OpenAI's SDK for Python sends comes out as it was given to it."""
    content = b"\r\n--" + bytes(range(256))
    fields = {"model": "whisper-1", "caf\u00e9": "\u20ac\r\n"}
    files = {"file": (filename or "a", content, "audio/wav")}
    expected = [
        ("model", None, "", b"whisper-1"),
        ("caf\u00e9", None, "", "\u20ac\r\n".encode()),
        ("file", filename or "a", "audio/wav", content),
    ]
    by_httpx = httpx.Request("POST", "http://a/", data=fields, files=files)
    assert seen(by_httpx.read(), by_httpx.headers["content-type"].encode()) == expected


@pytest.mark.parametrize(
    ("disposition", "name", "filename"),
    [
        (
            b'form-data; name="na%22me%0D%0A"; filename="sp%22\xc3\xa9a\\c;e%0d%0a.wav"',
            'na"me\r\n',
            'sp"éa\\c;e\r\n.wav',
        ),
        (b'form-data; name="f"; filename="a\\\\b\\"c"', "f", 'a\\b"c'),
        (b'form-data; name="f"; filename="\\\\\\"\\\\"', "f", '\\"\\'),
        (b"Form-Data;name=f;FileName=a.wav", "f", "a.wav"),
        (b'form-data ; filename="" ; name="f";', "f", ""),
        (b'form-data; name="f"; filename="_.wav"; filename*=UTF-8\'\'caf%C3%A9%20a.wav', "f", "café a.wav"),
        (b"form-data; name=\"f\"; filename*=iso-8859-1'en'caf%E9", "f", "café"),
        (b'form-data; name="f"; filename=caf\xc3\xa9', "f", "café"),
    ],
)
def test_names_are_read_as_clients_write_them(disposition: bytes, name: str, filename: str) -> None:
    """Browsers, undici and requests escape by percent, httpx and RFC 9110 by backslash; some add a `filename*`."""
    body = form(b"Content-Type: audio/wav\r\nContent-Disposition: " + disposition + b"\r\n\r\nx")
    assert seen(body) == [(name, filename, "audio/wav", b"x")]


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        (b"multipart/form-data; boundary=----formdata-undici-0917", b"----formdata-undici-0917"),
        (b'Multipart/Form-Data;charset=utf-8;Boundary="a b/c=:?"', b"a b/c=:?"),
        (b"multipart/form-data; boundary=" + b"x" * 70, b"x" * 70),
        (b"multipart/form-data; boundary=a;", b"a"),
    ],
)
def test_the_boundary_is_read(content_type: bytes, boundary: bytes) -> None:
    """As a token or a quoted string, in any case and company."""
    assert read_boundary(content_type) == boundary
    assert seen(form(MODEL, boundary=boundary), content_type) == [("model", None, "", b"whisper-1")]


@pytest.mark.parametrize(
    ("content_type", "what"),
    [
        (b"", "not multipart/form-data"),
        (b"application/json", "not multipart/form-data"),
        (b"multipart/mixed; boundary=a", "not multipart/form-data"),
        (b"multipart/form-data", "names no boundary"),
        (b"multipart/form-data; boundary=", "malformed parameter"),
        (b'multipart/form-data; boundary=""', "names no boundary"),
        (b'multipart/form-data; boundary="a "', "names no boundary"),
        (b'multipart/form-data; boundary="a\\"b"', "names no boundary"),
        (b"multipart/form-data; boundary=a%b", "names no boundary"),
        (b"multipart/form-data; boundary=" + b"x" * 71, "names no boundary"),
        (b"multipart/form-data; boundary=a; boundary=a", "parameter twice"),
        (b"multipart/form-data; boundary=a; boundary*0=b", "plain parameter"),
        (b"multipart/form-data; boundary=a,b", "malformed parameter"),
        (b'multipart/form-data; boundary="a', "malformed parameter"),
        (b"multipart/form-data; boundary=a b", "malformed parameter"),
    ],
)
def test_a_boundary_that_is_none_is_refused(content_type: bytes, what: str) -> None:
    """None, two, or one that another reader could read otherwise."""
    assert what in refused(form(MODEL, boundary=b"a"), content_type)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "does not hold its boundary"),
        (b"hello", "does not hold its boundary"),
        (b"\r\n" + form(MODEL), "does not begin with its boundary"),
        (b"--xyz", "ends within a boundary"),
        (b"--xyz\r\n", "last boundary is missing"),
        (form(MODEL, end=b"\r\n"), "last boundary is missing"),
        (form(MODEL, end=b""), "ends within a boundary"),
        (form(MODEL, end=b"-"), "ends within a boundary"),
        (form(MODEL) + b"--xyz\r\n" + MODEL, "something follows"),
        (form(MODEL) + b"\r\n" * 40, "something follows"),
        (form(MODEL + b"--xyz"), "occurs inside a part"),
        (form(MODEL + b"\n--xyz\n"), "occurs inside a part"),
        (form(MODEL + b"\r\n--xyzz"), "occurs inside a part"),
        (form(MODEL + b"\r\n--xyz \r\n"), "occurs inside a part"),
        (form(b""), "has no headers"),
        (form(b"\r\nvalue"), "has no headers"),
        (form(b"Content-Disposition: form-data; name=a"), "has no headers"),
        (form(b"Content-Disposition: form-data; name=a\r\n"), "has no headers"),
        (form(b"X: y\r\n\r\nvalue"), "no Content-Disposition"),
        (form(b"Content-Disposition: attachment; name=a\r\n\r\n"), "no Content-Disposition"),
        (form(b"Content-Disposition: form-data\r\n\r\n"), "no name"),
        (form(b'Content-Disposition: form-data; name=""\r\n\r\n'), "no name"),
        (form(b'Content-Disposition: form-data; name="mo\\del"\r\n\r\n'), "backslash"),
        (form(b"Content-Disposition: form-data; name=a; name=b\r\n\r\n"), "parameter twice"),
        (form(b"Content-Disposition: form-data; name=a; NAME=b\r\n\r\n"), "parameter twice"),
        (form(b"Content-Disposition: form-data; name*=utf-8''model\r\n\r\n"), "plain parameter"),
        (form(b"Content-Disposition: form-data; name=a; name*0=mo; name*1=del\r\n\r\n"), "plain parameter"),
        (form(b'Content-Disposition: form-data; filename="a\\"; name="model"\r\n\r\n'), "malformed parameter"),
        (form(b'Content-Disposition: form-data; name="a" x\r\n\r\n'), "malformed parameter"),
        (form(b'Content-Disposition: form-data; name="\xff"\r\n\r\n'), "not UTF-8"),
        (form(b"Content-Disposition: form-data; name=a; filename*=utf-8''%FF\r\n\r\n"), "not UTF-8"),
        (form(b"Content-Disposition: form-data; name=a; filename*=koi8-r''x\r\n\r\n"), "charset"),
        (form(b"Content-Disposition: form-data;\r\n name=a\r\n\r\n"), "folded"),
        (form(b"Content-Disposition : form-data; name=a\r\n\r\n"), "malformed or folded"),
        (form(b"Content-Disposition: form-data; name=a\nX: y\r\n\r\n"), "malformed or folded"),
        (form(b"Content-Disposition: form-data; name=a\x00\r\n\r\n"), "malformed or folded"),
        (form(b"X\r\n" + MODEL), "malformed or folded"),
        (form(b"content-disposition: form-data; name=a\r\n" + MODEL), "two content-disposition"),
        (form(b"Content-Transfer-Encoding: base64\r\n" + MODEL), "Content-Transfer-Encoding"),
        (form(b"Content-Length: 8\r\n" + MODEL), "not as long"),
        (form(b"Content-Length: +9\r\n" + MODEL), "malformed Content-Length"),
        (form(b"X: " + b"y" * multipart.MAX_PART_HEAD + b"\r\n" + MODEL), "headers of over 8192 bytes"),
        (form(*[MODEL] * (multipart.MAX_PARTS + 1)), "more than 128 parts"),
        (form(*[b"X: " + b"y" * 8_000 + b"\r\n" + MODEL] * 9), "headers of over 65536 bytes"),
    ],
)
def test_a_form_that_is_not_sound_is_refused(body: bytes, what: str) -> None:
    """Whatever is not whole, not named, or could be read in two ways is a bad request that says what is wrong."""
    assert what in refused(body)


def test_forms_at_the_bounds_pass() -> None:
    """128 parts, headers of 8 KiB, a Content-Length that is right, a coding that is none, any end or none behind."""
    assert len(read_parts(form(*[MODEL] * multipart.MAX_PARTS), KIND)) == multipart.MAX_PARTS
    rest = MODEL[: -len(b"whisper-1")]
    long = b"X: " + b"y" * (multipart.MAX_PART_HEAD - len(rest) - 5) + b"\r\n" + MODEL
    usual = [("model", None, "", b"whisper-1")]
    assert seen(form(long)) == usual
    assert seen(form(b"Content-Length: 9\r\nContent-Transfer-Encoding: Binary\r\n" + MODEL)) == usual
    for end in (b"--", b"--\r\n", b"--\r\n\r\n"):
        assert seen(form(MODEL, end=end)) == usual


@pytest.mark.parametrize("size", [0, 4_070, 4_095, 4_096, 100_000, 1_000_000])
def test_a_boundary_is_found_wherever_it_lies_in_a_view(size: int) -> None:
    """A view is searched in windows: no boundary is lost between two of them."""
    for extra in range(0, 40, 3):
        body = form(MODEL, FILE + b"-" * (size + extra), MODEL)
        assert read_parts(memoryview(body), KIND) == read_parts(body, KIND)


def test_a_name_that_comes_twice_is_found_out() -> None:
    """Which of two counts differs between readers: asking for it is a bad request; any other name may repeat."""
    parts = read_parts(form(MODEL, FILE, MODEL, FILE), KIND)
    with pytest.raises(BadRequest, match="more than one model") as caught:
        find_part(parts, "model")
    assert caught.value.param == "model"
    once = read_parts(form(MODEL, FILE, FILE), KIND)
    assert find_part(once, "model") is once[0]
    assert find_part(once, "language") is None


def test_a_field_is_written_anew_and_all_else_stays() -> None:
    """The field's part is replaced, its old length with it; every other byte is the client's, and a view of it."""
    body = form(FILE, b"Content-Length: 9\r\nContent-Type: text/plain\r\n" + MODEL, FILE)
    parts = read_parts(body, KIND)
    pieces = with_field(body, parts, "model", "größer")
    assert b"".join(pieces) == form(FILE, MODEL.replace(b"whisper-1", "größer".encode()), FILE)
    assert [type(piece) for piece in pieces] == [memoryview, bytes, memoryview]


@pytest.mark.parametrize("boundary", [b"xyz", b"-", b"x-", b"b" * 70])
def test_a_field_that_is_missing_is_put_first(boundary: bytes) -> None:
    """A form without the field gets it, with the client's own boundary; an empty form as well."""
    kind = b"multipart/form-data; boundary=" + boundary
    for parts in ([FILE], []):
        body = form(*parts, boundary=boundary)
        whole = b"".join(with_field(body, read_parts(body, kind), 'mo"del\r\n', "m"))
        assert seen(whole, kind)[0] == ('mo"del\r\n', None, "", b"m")
        assert seen(whole, kind)[1:] == seen(body, kind)


def test_a_field_that_cannot_be_written_is_refused() -> None:
    """Two of the name, a file of that name, a boundary that is part of the value."""
    twice, file = form(MODEL, MODEL), form(FILE)
    with pytest.raises(BadRequest, match="more than one"):
        with_field(twice, read_parts(twice, KIND), "model", "m")
    with pytest.raises(BadRequest, match="is a file"):
        with_field(file, read_parts(file, KIND), "file", "m")
    body = form(MODEL)
    with pytest.raises(BadRequest, match="occurs inside"):
        with_field(body, read_parts(body, KIND), "model", "a--xyz")


PIECES = [
    b"--xyz",
    b"\r\n",
    b"--",
    b"\n",
    b"Content-Disposition: form-data; name=",
    b"a",
    b'"',
    b"\\",
    b";",
    b"filename=",
    b"%",
]
# httpx escapes every control character in a name; readers undo it for those that the HTML standard escapes.
names = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\%") | st.sampled_from("\r\n"), min_size=1
)
fields = st.dictionaries(names, st.text(max_size=9), max_size=5)


@given(st.lists(st.sampled_from(PIECES), max_size=20))
def test_bytes_of_any_shape_are_read_alike_or_refused(pieces: list[bytes]) -> None:
    """Spans are in order and inside the body, a view is read as bytes are, and each part stands between delimiters."""
    body = b"--xyz\r\n" + b"".join(pieces)
    try:
        parts = read_parts(body, KIND)
    except BadRequest:
        return
    assert parts == read_parts(memoryview(body), KIND)
    edges = [edge for part in parts for edge in (part.head, part.start, part.end)]
    assert all(first <= second for first, second in itertools.pairwise([0, *edges, len(body)]))
    for part in parts:
        assert body[part.start - 4 : part.start] == b"\r\n\r\n"
        assert body[part.end :].startswith(b"\r\n--xyz")


@given(fields, st.text(max_size=9))
def test_what_httpx_writes_is_rewritten_soundly(fields: dict[str, str], value: str) -> None:
    """For any fields: after a rewrite the field has its new value and all others their old one."""
    request = httpx.Request("POST", "http://a/", data=fields, files={"\t": ("f", b"x")})
    body, kind = request.read(), request.headers["content-type"].encode()
    name = next(iter(fields), "model")
    whole = b"".join(with_field(body, read_parts(body, kind), name, value))
    found = {part.name: whole[part.start : part.end].decode() for part in read_parts(whole, kind)}
    assert found == {"%09": "x", **fields, name: value}
