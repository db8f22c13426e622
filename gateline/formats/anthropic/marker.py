"""The mark of its maker on whatever is sealed in a reply of the Messages API."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from gateline.formats.entries import is_left, text_of, written
from gateline.formats.seal import write_seal
from gateline.formats.typed import UNREAD
from gateline.model.chat import Seal

# By type of block, where its seal stands.
SEALED_IN = {"thinking": "signature", "redacted_thinking": "data"}
_EVENT = re.compile(rb'[^\n]*"(?:content_block_start|signature_delta)"[^\n]*')
_THOUGHT = b'thinking"'
_BEGINS = b'"content_block_start"'
_FIELD = re.compile(rb'("(?:signature|data)": ?")([^"])')

_decode = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


class MessageMarker:
    """See `contract.Marker`. Of a whole reply that comes in pieces nothing is marked."""

    __slots__ = ("_is_marked", "_maker", "_mark")

    def __init__(self, maker: str) -> None:
        self._maker = maker
        self._is_marked = False  # the open block: a signature may come in several pieces
        self._mark = rb"\1%b\2" % write_seal(Seal(maker, ""), "anthropic").encode()

    def feed(self, data: bytes) -> bytes:
        if data.lstrip()[:1] == b"{":
            return self._whole(data)
        return _EVENT.sub(self._event, data)

    def rest(self) -> bytes:
        return b""

    def _event(self, line: re.Match[bytes]) -> bytes:
        data = line[0]
        if _BEGINS in data:
            self._is_marked = False
            if _THOUGHT not in data:
                return data
        if self._is_marked:
            return data
        data, marked = _FIELD.subn(self._mark, data, 1)
        self._is_marked = marked > 0
        return data

    def _whole(self, body: bytes) -> bytes:
        if _THOUGHT not in body:
            return body
        try:
            fields = _decode(body)
        except UNREAD:
            return body
        is_left(fields, "content", self._block)
        return _encode(fields)

    def _block(self, fields: dict[str, Raw]) -> bool:
        name = SEALED_IN.get(text_of(fields.get("type")))
        sealed = text_of(fields.get(name)) if name is not None else ""
        if name is not None and sealed:
            fields[name] = written(write_seal(Seal(self._maker, sealed), "anthropic"))
        return True
