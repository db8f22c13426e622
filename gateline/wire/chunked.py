"""The chunked coding (RFC 9112, section 7.1): writing chunks, and reading those that come whole. Reading any is
`dechunk`, or a parser."""

from __future__ import annotations

import re

LAST_CHUNK = b"0\r\n\r\n"

# What size lines say, worked out once each: an upstream repeats them, and a look-up is as strict as what was learned.
_SIZES: dict[bytes, int] = {}
_MOST = 8_192
_LONGEST = 4
_SIZE = re.compile(rb"[1-9a-fA-F][0-9a-fA-F]{0,3}")


def _learn(line: bytes) -> int | None:
    """The size that a plain line says, kept in `_SIZES`; None for one that a parser must see, such as the last."""
    if _SIZE.fullmatch(line) is None:
        return None
    size = int(line, 16)
    if len(_SIZES) < _MOST:
        _SIZES[line] = size
    return size


def whole_chunks(data: bytes) -> bytes | None:
    """The body in `data` if that is whole plain chunks and nothing else; None if not, whatever else it is."""
    line, _, rest = data.partition(b"\r\n")
    body = rest.removesuffix(b"\r\n")
    if _SIZES.get(line) == len(body) == len(rest) - 2:
        return body  # one chunk, as in most reads of a stream
    pieces: list[bytes] = []
    at, length = 0, len(data)
    while at < length:
        end = data.find(b"\r\n", at, at + _LONGEST + 2)
        line = data[at:end]
        size = _SIZES.get(line) or _learn(line)
        if end < 0 or size is None:
            return None
        stop = end + 2 + size
        pieces.append(data[end + 2 : stop])
        at = stop + 2
        if data[stop:at] != b"\r\n":
            return None
    return b"".join(pieces)


def chunk(data: bytes) -> bytes:
    """`data` as one chunk; nothing for empty data, since an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
