"""Forms with files (`multipart/form-data`, RFC 7578): where the parts of a whole body are, and a field written anew.

What two readers could take for different parts is refused, since the upstream is another reader: the boundary stands
nowhere but in delimiters, lines end in CR LF, a part is named once and in one way. Nothing of a value is copied.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import msgspec

from gateline.model.errors import BadRequest

MAX_PARTS = 128
MAX_PART_HEAD = 8_192  # bytes of a part's headers
MAX_HEADS = 65_536  # bytes of all headers together: they take a hundred times as long as values do
_WINDOW = 256 * 1024  # a view has no `find`: it is searched in copies of at most this size

Body = bytes | bytearray | memoryview

_PARAMETER = re.compile(
    rb"""[ \t]*;[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\x00-\x20\x7f()<>@,;:\\"/\[\]?=]+))"""
)
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")  # RFC 2046, section 5.1.1
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_ESCAPES = ((b"%22", b'"'), (b"%0D", b"\r"), (b"%0d", b"\r"), (b"%0A", b"\n"), (b"%0a", b"\n"))
_PLAIN_CODINGS = frozenset({b"7bit", b"8bit", b"binary"})
_HEADERS = (b"content-disposition", b"content-type", b"content-transfer-encoding", b"content-length")


class Part(msgspec.Struct, frozen=True):
    """A part. Its value is `body[start:end]`, its headers begin at `head`. `filename` is None for a field of text;
    `content_type` is as sent, empty when it was not. Names and file names are free of escapes."""

    name: str
    filename: str | None
    content_type: str
    head: int
    start: int
    end: int


def read_parts(body: Body, content_type: bytes) -> list[Part]:
    """The parts in order. Raises BadRequest, saying what is wrong, on anything but a sound form of at most 128 parts
    with headers of at most 8 KiB each and 64 KiB together."""
    boundary = read_boundary(content_type)
    delimiter = b"--" + boundary
    size = len(delimiter)
    parts: list[Part] = []
    heads = 0
    begins = -1  # where the part that is open begins
    at = -size
    while (at := _find(body, delimiter, at + size)) >= 0:
        if begins < 0:
            if at:
                raise _bad("it does not begin with its boundary")
        elif bytes(body[at - 2 : at]) != b"\r\n":
            raise _bad("its boundary occurs inside a part: choose another")
        else:
            parts.append(part := _read_part(body, begins, at - 2))
            heads += part.start - part.head
            if heads > MAX_HEADS:
                raise _bad(f"its parts have headers of over {MAX_HEADS} bytes")
        after = bytes(body[at + size : at + size + 2])
        begins = at + size + 2
        if after == b"--":
            if bytes(body[begins : begins + 64]).strip(b"\r\n") or len(body) > begins + 64:
                raise _bad("something follows its last boundary")
            return parts
        if after != b"\r\n":
            raise _bad("it ends within a boundary" if len(after) < 2 else "its boundary occurs inside a part")
        if len(parts) >= MAX_PARTS:
            raise _bad(f"it has more than {MAX_PARTS} parts")
    raise _bad("its last boundary is missing" if begins >= 0 else "it does not hold its boundary")


def read_boundary(content_type: bytes) -> bytes:
    """The boundary that a Content-Type names. Raises BadRequest when it is no form's, or names none or two."""
    kind, parameters = _read_value(content_type)
    if kind != b"multipart/form-data":
        raise _bad("its Content-Type is not multipart/form-data")
    if any(name.startswith(b"boundary*") for name in parameters):
        raise _bad("its boundary is not written as a plain parameter")
    boundary = parameters.get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(boundary):
        raise _bad("its Content-Type names no boundary of 1 to 70 permitted characters")
    return boundary


def find_part(parts: list[Part], name: str) -> Part | None:
    """The part of that name, None without one. Raises BadRequest when there are two: readers differ in which counts."""
    found = [part for part in parts if part.name == name]
    if len(found) > 1:
        raise BadRequest(f"The form has more than one {name}.", param=name)
    return found[0] if found else None


def with_field(body: Body, parts: list[Part], name: str, value: str) -> list[bytes | memoryview]:
    """The body in pieces, with `value` for the text field `name`, which is put first when it is missing. All other
    parts are as they were, byte for byte, and views of `body`. `parts` are those of `read_parts`.

    Raises BadRequest when there are two of that name, when it is a file, or when the client's boundary is in `value`.
    """
    part = find_part(parts, name)
    if part is not None and part.filename is not None:
        raise BadRequest(f"The form's {name} is a file: send it as text.", param=name)
    first = bytes(body[:80])
    delimiter = first[: parts[0].head - 2] if parts else first[: first.rfind(b"--")]
    text = value.encode()
    if delimiter in text:
        raise _bad("its boundary occurs inside a part: choose another")
    # The part's own headers may tell its old length.
    field = b'Content-Disposition: form-data; name="%b"\r\n\r\n%b' % (_escape(name), text)
    view = memoryview(body)
    if part is None:
        return [b"%b\r\n%b\r\n" % (delimiter, field), view]
    return [view[: part.head], field, view[part.end :]]


def _read_part(body: Body, begins: int, end: int) -> Part:
    head = bytes(body[begins : min(end + 2, begins + MAX_PART_HEAD)])
    size = head.find(b"\r\n\r\n")
    start = begins + size + 4
    if size < 0 or start > end:
        long = end - begins >= MAX_PART_HEAD
        raise _bad(f"a part has headers of over {MAX_PART_HEAD} bytes" if long else "a part has no headers")
    fields = _read_head(head[:size])
    if fields.get(b"content-transfer-encoding", b"binary").lower() not in _PLAIN_CODINGS:
        raise _bad("a part has a Content-Transfer-Encoding: send its bytes as they are")
    if int(fields.get(b"content-length", b"%d" % (end - start))) != end - start:
        raise _bad("a part is not as long as its Content-Length says")
    name, filename = _read_names(fields.get(b"content-disposition", b""))
    return Part(name, filename, fields.get(b"content-type", b"").decode("latin-1"), begins, start, end)


def _read_head(head: bytes) -> dict[bytes, bytes]:
    """The headers that are looked at, each there at most once."""
    fields: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon or name.split() != [name] or _CONTROL.search(line):
            raise _bad("a part has a malformed or folded header")
        key = name.lower()
        if key not in _HEADERS:
            continue
        if key in fields:
            raise _bad(f"a part has two {key.decode()} headers")
        fields[key] = value.strip(b" \t")
    length = fields.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > 18:
        raise _bad("a part has a malformed Content-Length")
    return fields


def _read_names(disposition: bytes) -> tuple[str, str | None]:
    """Name and file name of a Content-Disposition."""
    kind, parameters = _read_value(disposition)
    if kind != b"form-data":
        raise _bad("a part has no Content-Disposition of form-data")
    if any(b"*" in key and key != b"filename*" for key in parameters):
        raise _bad("a part's name is not written as a plain parameter")
    name = parameters.get(b"name", b"")
    if not name or b"\\" in name:
        raise _bad("a part has no name, or one with a backslash")
    filename = parameters.get(b"filename")
    try:
        # The extended form (RFC 8187) holds where both are given; it has no place in a form, and clients send it.
        extended = parameters.get(b"filename*")
        if extended is not None:
            coding, _, rest = extended.partition(b"'")
            if coding.lower() not in {b"utf-8", b"iso-8859-1"}:
                raise _bad("a part's filename* is in a charset that is not known")
            return _unescape(name).decode(), unquote_to_bytes(rest.partition(b"'")[2]).decode(coding.decode())
        return _unescape(name).decode(), None if filename is None else _unescape(filename).decode()
    except UnicodeDecodeError:
        raise _bad("a part's name is not UTF-8") from None


def _read_value(value: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """A header's value in lower case, and its parameters with lower-case names. Quotes go, escapes stay."""
    kind, semicolon, rest = value.partition(b";")
    parameters: dict[bytes, bytes] = {}
    rest = semicolon + rest
    at = 0
    while at < len(rest):
        found = _PARAMETER.match(rest, at)
        if found is None:
            if rest[at:].strip(b" \t;"):
                raise _bad("a header of it has a malformed parameter")
            break
        name = found[1].lower()
        if name in parameters:
            raise _bad("a header of it has a parameter twice")
        parameters[name] = found[3] if found[2] is None else found[2]
        at = found.end()
    return kind.strip(b" \t").lower(), parameters


def _find(body: Body, needle: bytes, at: int) -> int:
    """As `bytes.find`, for views too."""
    if not isinstance(body, memoryview):
        return body.find(needle, at)
    size = 4_096
    while True:
        window = bytes(body[at : at + size])
        found = window.find(needle)
        if found >= 0:
            return at + found
        if len(window) < size:
            return -1
        at += size - len(needle) + 1  # what begins in this window may end in the next one
        size = min(2 * size, _WINDOW)


def _unescape(text: bytes) -> bytes:
    """Undoes RFC 9110's escapes, then those of the HTML standard."""
    if b"\\" in text:
        text = b"\\".join([piece.replace(b'\\"', b'"') for piece in text.split(b"\\\\")])
    if b"%" in text:
        for escape, byte in _ESCAPES:
            text = text.replace(escape, byte)
    return text


def _escape(text: str) -> bytes:
    return text.encode().replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A")


def _bad(what: str) -> BadRequest:
    return BadRequest(f"The form is not sound: {what}.", code="invalid_multipart")
