"""Replies of which nothing is known: they pass as they come."""

from __future__ import annotations

from gateline.formats.contract import Codec, Watch
from gateline.formats.mask import Mask
from gateline.model.call import Call
from gateline.model.errors import GatewayError, UpstreamError
from gateline.model.usage import Usage


class RawCodec:
    """See `contract.Codec`. A stream without a known end is whole when its framing says so. `secret` is covered."""

    __slots__ = ("_mask", "done", "error", "last", "usage", "visible")

    def __init__(self, secret: str) -> None:
        self._mask = Mask(secret)
        self.visible = False
        self.done = False
        self.last = b""
        self.usage: Usage | None = None
        self.error: UpstreamError | None = None

    def feed(self, data: bytes) -> bytes:
        self.visible = True
        return self._mask.feed(data)

    def end(self) -> None:
        self.done = True
        self.last = self._mask.rest()

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """Nothing can be said in a format that nobody knows: the connection is cut instead."""
        return b""


def _codec(call: Call | None, secret: str) -> Codec:
    return RawCodec(secret)


def _unknown(body: bytes) -> Usage | None:
    return None


RAW_WATCH = Watch(_unknown, _unknown, _codec, is_json=False)
