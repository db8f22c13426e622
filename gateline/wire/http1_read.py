"""A request's head, from bytes to `RequestHead`. Knows the parser (llhttp) and the checks around it, no sockets."""

from __future__ import annotations

import httptools

from gateline.model.errors import BadWire, HeadTooLarge
from gateline.wire.http1 import RequestHead, check_request_head


def read_request_head(head: bytes, most_fields: int) -> RequestHead:
    """`head` is whole and has passed the guard. Raises GatewayError for whatever is not a request that we answer."""
    seen = _Seen()
    parser = httptools.HttpRequestParser(seen)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # `Upgrade:` is ignored and the request served as HTTP/1.1; CONNECT and PRI fall to the method check
    except httptools.HttpParserError as error:
        raise BadWire(f"The request is not valid HTTP/1.1: {error}.") from None
    if len(seen.headers) > most_fields:
        raise HeadTooLarge(f"The request has more than {most_fields} header fields.")
    return check_request_head(parser.get_method(), seen.url, parser.get_http_version(), seen.headers)


class _Seen:
    """What the parser reports. A target can come in several pieces."""

    __slots__ = ("headers", "url")

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))
