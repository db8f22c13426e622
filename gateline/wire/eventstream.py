"""AWS event streams (`application/vnd.amazon.eventstream`): bytes <-> whole messages, however the stream was cut.

A message is a prelude (its length, its headers' length, the CRC of both), headers, a payload, and the CRC of all that
(smithy.io, Amazon Event Stream Specification). Bedrock streams its replies so. Integers are big-endian.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Mapping
from functools import lru_cache
from struct import Struct

from gateline.model.errors import UpstreamBroken
from gateline.wire.bound import MAX_EVENT

_MAX_HEADERS = 128 * 1024  # the specification's bound
_MAX_TEXT = 32_767  # bytes of a string that is written: readers in Java take the length for a signed number
_PRELUDE = 12
_LEAST = _PRELUDE + 4
_BLOCKS = 32  # header blocks a stream is remembered by: Bedrock has one for each type of event, under 100 bytes
_LONGEST_BLOCK = 256

_read_prelude = Struct(">III").unpack_from
_write_lengths = Struct(">II").pack
_write_crc = Struct(">I").pack

_TRUE, _FALSE, _BYTES, _STRING = 0, 1, 6, 7
_NUMBERS = {2: 1, 3: 2, 4: 4, 5: 8, 8: 8}  # bytes of byte, short, integer, long and timestamp, all of them signed
_UUID, _UUID_BYTES = 9, 16

HeaderValue = bool | int | bytes | str
"""A UUID is its 16 bytes, a timestamp its milliseconds since 1970."""


class Message:
    """`raw` is the message as it came, so that relaying it changes nothing. `headers` are shared: not to be changed."""

    __slots__ = ("headers", "payload", "raw")

    def __init__(self, headers: Mapping[str, HeaderValue], payload: bytes, raw: bytes) -> None:
        self.headers = headers
        self.payload = payload
        self.raw = raw


class MessageSplitter:
    """Collects bytes and gives back whole messages. is_between: nothing is held back."""

    __slots__ = ("_known", "_needed", "_pending", "is_between")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._needed = _PRELUDE  # bytes until more can be said
        self._known: dict[bytes, dict[str, HeaderValue]] = {}
        self.is_between = True

    def feed(self, data: bytes) -> list[Message]:
        """Raises UpstreamBroken on a wrong CRC, on lengths or headers that cannot be, and on a message over
        `MAX_EVENT` (the specification allows 24 MiB)."""
        pending = self._pending
        if pending:
            pending += data
            if len(pending) < self._needed:
                return []
            data = bytes(pending)
        messages: list[Message] = []
        at, end = 0, len(data)
        needed = _PRELUDE
        while end - at >= _PRELUDE:
            total, size, crc = _read_prelude(data, at)
            if crc32(data[at : at + 8]) != crc:
                raise UpstreamBroken("the upstream sent an event stream whose checksum is wrong")
            if total > MAX_EVENT:
                raise UpstreamBroken(f"the upstream sent an event stream message over {MAX_EVENT} bytes")
            if size > _MAX_HEADERS or size + _LEAST > total:
                raise UpstreamBroken("the upstream sent an event stream message whose lengths cannot be")
            if end - at < total:
                needed = total
                break
            messages.append(self._read(data[at : at + total], _PRELUDE + size))
            at += total
        self._needed = needed
        self.is_between = at == end
        if pending or at < end:
            pending[:] = data[at:]
        return messages

    def rest(self) -> bytes:
        """What has come of a message that is not whole yet."""
        return bytes(self._pending)

    def _read(self, raw: bytes, payload_at: int) -> Message:
        if crc32(raw[:-4]) != int.from_bytes(raw[-4:], "big"):
            raise UpstreamBroken("the upstream sent an event stream message whose checksum is wrong")
        block = raw[_PRELUDE:payload_at]
        headers = self._known.get(block)
        if headers is None:
            headers = _read_headers(block)
            if len(self._known) < _BLOCKS and len(block) <= _LONGEST_BLOCK:
                self._known[block] = headers
        return Message(headers, raw[payload_at:-4], raw)


def write_message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message, its headers strings. Raises ValueError on a name of no or over 255 bytes, a value over 32,767, and
    headers over 128 KiB."""
    block = _write_headers(tuple(headers.items()))
    lengths = _write_lengths(_LEAST + len(block) + len(payload), len(block))
    message = b"".join((lengths, _write_crc(crc32(lengths)), block, payload))
    return message + _write_crc(crc32(message))


def _read_headers(block: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at, end = 0, len(block)
    try:
        while at < end:
            value_at = at + 1 + block[at]
            name = block[at + 1 : value_at].decode()
            if not name or name in headers:
                raise _malformed()
            headers[name], at = _read_value(block, value_at)
    except (IndexError, UnicodeDecodeError):
        raise _malformed() from None
    if at != end:
        raise _malformed()
    return headers


def _read_value(block: bytes, at: int) -> tuple[HeaderValue, int]:
    """The value whose type stands at `at`, and where it ends, which may be behind the block."""
    kind = block[at]
    at += 1
    if kind in {_TRUE, _FALSE}:
        return kind == _TRUE, at
    if kind in {_BYTES, _STRING}:
        after = at + 2
        end = after + (block[at] << 8) + block[at + 1]
        value = block[after:end]
        return (value.decode() if kind == _STRING else value), end
    if kind == _UUID:
        return block[at : at + _UUID_BYTES], at + _UUID_BYTES
    length = _NUMBERS.get(kind)
    if length is None:
        raise _malformed()
    return int.from_bytes(block[at : at + length], "big", signed=True), at + length


@lru_cache(maxsize=64)  # the same few for every message of a type; a text of its own pushes out what is older
def _write_headers(headers: tuple[tuple[str, str], ...]) -> bytes:
    pieces: list[bytes] = []
    for name, value in headers:
        key, text = name.encode(), value.encode()
        if not 0 < len(key) <= 255 or len(text) > _MAX_TEXT:
            raise ValueError("an event stream header has a name of 1 to 255 bytes and a value of at most 32,767")
        pieces += (bytes((len(key),)), key, bytes((_STRING,)), len(text).to_bytes(2, "big"), text)
    block = b"".join(pieces)
    if len(block) > _MAX_HEADERS:
        raise ValueError(f"the headers of an event stream message are at most {_MAX_HEADERS} bytes")
    return block


def _malformed() -> UpstreamBroken:
    return UpstreamBroken("the upstream sent an event stream message with malformed headers")
