r"""A JSON array of objects that is streamed: bytes -> whole elements, however the array was cut, and back.

Gemini answers `streamGenerateContent` so when it is not asked for `alt=sse`: `[{...}\r\n,\r\n{...}\r\n]`. Only what
tells where an element ends is looked at (strings, brackets); what is in it is for its decoder to judge.
"""

from __future__ import annotations

import re

import msgspec

from gateline.model.errors import UpstreamBroken
from gateline.wire.bound import MAX_EVENT

MAX_DEPTH = 128  # of objects and arrays in an element; Google's own reader of JSON stops at 100

CLOSE = b"]"

_SPACE = re.compile(rb"[ \t\r\n]*")
_IN_STRING = re.compile(rb'(?>[^"\\]*(?:\\.[^"\\]*)*)', re.DOTALL)


# Where the next byte is that matters outside strings: a bracket of a container that holds others, or a quote whose
# string goes on behind the bytes at hand. Every branch begins with a byte of its own and an atomic group gives nothing
# back, so that it takes time in proportion to what it reads.
_PLAIN = rb'[^"{}\[\]]*'
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_RUN = rb"(?>%b(?:%b%b)*)" % (_PLAIN, _STRING, _PLAIN)
_SKIP_TEXT = re.compile(_RUN, re.DOTALL)
_SKIP = re.compile(rb"(?>%b(?:(?:%b|[{\[]%b[}\]])%b)*)" % (_PLAIN, _STRING, _RUN, _PLAIN), re.DOTALL)

_WHOLE = msgspec.json.Decoder(list[msgspec.Raw])

_QUOTE, _COMMA, _BACKSLASH = b'",\\'
_OPEN, _CLOSE = b"[]"
_OBJECT = b"{"[0]
_ENDS = b"}]"

# What may come next, white space aside.
_ARRAY, _FIRST, _ELEMENT, _AFTER, _NOTHING = range(5)


class ElementSplitter:
    """Collects bytes and gives back whole elements, without what stands between them.

    is_between: no part of an element is held back. is_closed: the array's end has come; a stream that ends without it
    was cut.
    """

    __slots__ = ("_awaits", "_depth", "_escaped", "_in_string", "_pending", "is_between")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._awaits = _ARRAY
        self._depth = 0
        self._in_string = False
        self._escaped = False  # the last byte was a backslash in a string
        self.is_between = True

    @property
    def is_closed(self) -> bool:
        return self._awaits == _NOTHING

    def feed(self, data: bytes) -> list[bytes]:
        """Raises UpstreamBroken on what is no array of objects, an element over `MAX_EVENT`, and one nested over 128
        deep."""
        elements: list[bytes] = []
        at, end = 0, len(data)
        while at < end:
            if self.is_between:
                at = self._next(data, at)
                if at == end:
                    break
                last = data.rfind(b"}") + 1
                if (whole := _whole_elements(data[at:last])) is not None:
                    elements += whole
                    at = last
                    continue
                self.is_between = False
            start, at = at, self._skip(data, at)
            pending = self._pending
            if len(pending) + at - start > MAX_EVENT:
                raise UpstreamBroken(f"the upstream sent an element over {MAX_EVENT} bytes")
            if self._depth:
                pending += data[start:]
                break
            self.is_between = True
            if pending:
                elements.append(bytes(pending) + data[start:at])
                pending.clear()
            else:
                elements.append(data[start:at])
        return elements

    def rest(self) -> bytes:
        """What has come of an element that is not whole yet."""
        return bytes(self._pending)

    def _next(self, data: bytes, at: int) -> int:
        """Where the next element begins, or the end of `data`."""
        awaits = self._awaits
        while (at := _end(_SPACE, data, at)) < len(data):
            byte = data[at]
            if byte == _OBJECT and awaits in {_FIRST, _ELEMENT}:
                self._awaits = _AFTER
                return at
            if byte == _COMMA and awaits == _AFTER:
                awaits = _ELEMENT
            elif byte == _OPEN and awaits == _ARRAY:
                awaits = _FIRST
            elif byte == _CLOSE and awaits in {_FIRST, _AFTER}:
                awaits = _NOTHING
            else:
                raise UpstreamBroken("the upstream sent what is not a JSON array of objects")
            at += 1
        self._awaits = awaits
        return at

    def _skip(self, data: bytes, at: int) -> int:
        """Where the element ends, its depth 0 again, or the end of `data`."""
        end = len(data)
        depth = self._depth
        if self._escaped:
            self._escaped = False
            at += 1
        while True:
            if self._in_string:
                at = _end(_IN_STRING, data, at)
                if at == end or data[at] == _BACKSLASH:
                    self._escaped = at < end
                    break
                self._in_string = False
                at += 1
            if depth:
                at = _end(_SKIP if depth < MAX_DEPTH else _SKIP_TEXT, data, at)
            if at == end:
                break
            byte = data[at]
            at += 1
            if byte == _QUOTE:
                self._in_string = True
            elif byte in _ENDS:
                depth -= 1
                if not depth:
                    self._depth = 0
                    return at
            elif depth < MAX_DEPTH:
                depth += 1
            else:
                raise UpstreamBroken(f"the upstream sent an element nested over {MAX_DEPTH} deep")
        self._depth = depth
        return end


def write_element(first: bool, data: bytes) -> bytes:
    """An element as Gemini writes them: `CLOSE` follows the last."""
    return (b"[" if first else b",\r\n") + data + b"\r\n"


def _whole_elements(data: bytes) -> list[bytes] | None:
    """The elements in `data` when it holds whole ones and nothing but them, as nearly every read does: JSON's own
    decoder finds them ten times faster. One with no more brackets than `MAX_DEPTH` cannot be nested deeper."""
    if not 0 < len(data) <= MAX_EVENT:
        return None
    try:
        found = [bytes(element) for element in _WHOLE.decode(b"[%b]" % data)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    for element in found:
        if element[0] != _OBJECT or element.count(b"{") + element.count(b"[") > MAX_DEPTH:
            return None
    return found


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    found = pattern.match(data, at)
    assert found is not None  # these patterns match nothing as well
    return found.end()
