"""What reads the wire in more than one test: the decoder of chunked bodies over many reads, and llhttp's own view."""

from __future__ import annotations

from collections.abc import Iterable

from gateline.wire.dechunk import Dechunker


def dechunked(reads: Iterable[bytes], limit: int) -> tuple[bytes, bool, bytes]:
    """Body, whether it is whole, and what lies behind it. Raises BadWire and TooLarge as the decoder does."""
    decoder = Dechunker(limit)
    behind = b""
    for read in reads:
        if decoder.complete:
            behind += read
        else:
            decoder.feed(read)
    return bytes(decoder.body), decoder.complete, decoder.rest + behind


class Parsed:
    """What httptools makes of a request: the protocol of its parser."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True
