"""Replies that pass from a vendor which is not its format's own: what it sealed gets its mark (`formats/seal.py`), so
that it comes back to this vendor and to no other. All else passes byte for byte."""

from __future__ import annotations

from gateline.formats.contract import Codec, Marker, Watch
from gateline.formats.dialect import Dialect
from gateline.model.call import Call
from gateline.model.errors import GatewayError, UpstreamError


def marker_of(watch: Watch, dialect: Dialect) -> Marker | None:
    """None where the vendor is its format's own, or the format has no seals."""
    return None if watch.marker is None or not dialect.maker else watch.marker(dialect.sealer)


def marked(data: bytes, marker: Marker) -> bytes:
    """A whole reply, or whole events of one."""
    return marker.feed(data) + marker.rest()


def codec_of(watch: Watch, call: Call, secret: str, dialect: Dialect) -> Codec:
    """What follows a stream of a vendor with this dialect. `secret` as for `Watch.codec`."""
    assert watch.codec is not None
    codec, marker = watch.codec(call, secret), marker_of(watch, dialect)
    return codec if marker is None else _MarkedCodec(codec, marker)


class _MarkedCodec:
    """See `contract.Codec`: `codec` with marks on what it lets pass."""

    __slots__ = ("_codec", "_marker", "done", "error", "last", "usage", "visible")

    def __init__(self, codec: Codec, marker: Marker) -> None:
        self._codec = codec
        self._marker = marker
        self.error: UpstreamError | None = None
        self._follow()

    def feed(self, data: bytes) -> bytes:
        passed = marked(self._codec.feed(data), self._marker)
        self._follow()
        return passed

    def end(self) -> None:
        self._codec.end()
        self._follow()

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return self._codec.fail(error, request_id)

    def _follow(self) -> None:
        codec = self._codec
        self.visible, self.done, self.usage = codec.visible, codec.done, codec.usage
        self.last = marked(codec.last, self._marker)
        self.error = self.error or codec.error
