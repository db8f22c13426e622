"""What a parser's complaint about an upstream's reply means."""

from __future__ import annotations

import httptools

from gateline.model.errors import UpstreamBroken, UpstreamError


def reply_fault(error: Exception) -> UpstreamError:
    """The error that one of our own callbacks raised, or one that says which bytes are no reply."""
    if isinstance(error, httptools.HttpParserCallbackError):
        cause = error.__cause__ or error.__context__
        return cause if isinstance(cause, UpstreamError) else UpstreamBroken("The upstream's reply is broken.")
    if isinstance(error, httptools.HttpParserUpgrade):
        return UpstreamBroken("The upstream switched protocols without being asked to.")
    return UpstreamBroken("The upstream's reply is not valid HTTP/1.1.")
