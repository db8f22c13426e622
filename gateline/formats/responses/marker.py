"""The mark of its maker on whatever is sealed in a reply of the Responses API."""

from __future__ import annotations

import re

from gateline.formats.seal import write_seal
from gateline.model.chat import Seal

# A name with its colon stands in no JSON string: quotes are escaped there. What is empty is no seal.
_FIELD = re.compile(rb'("encrypted_content"[ \t\r\n]{0,8}:[ \t\r\n]{0,8}")([^"])')
_LONGEST = 38  # bytes of what the pattern finds


class ResponseMarker:
    """See `contract.Marker`."""

    __slots__ = ("_held", "_mark")

    def __init__(self, maker: str) -> None:
        self._mark = rb"\1%b\2" % write_seal(Seal(maker, ""), "openai").encode()
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        data = self._held + data
        found = [field.end() for field in _FIELD.finditer(data)]
        cut = max(len(data) - _LONGEST + 1, *found[-1:], 0)
        self._held = data[cut:]
        return _FIELD.sub(self._mark, data[:cut]) if found else data[:cut]

    def rest(self) -> bytes:
        held, self._held = self._held, b""
        return held
