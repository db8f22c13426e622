"""Which headers pass through the gateway. Allowlists, both ways: a header nobody thought of stays outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateline.model.errors import UpstreamBroken

# Towards the upstream. Never: credentials, cookies, Host, hop-by-hop headers; `openai-organization` and
# `openai-project`, with which a client could spend another account of the operator's key; `idempotency-key`, under
# which an upstream could give one tenant the answer of another; the client's address and its SDK's telemetry
# (`x-stainless-*`, `x-goog-api-client`); `x-goog-user-project`, which names the account that pays; `x-gateline-*`,
# which speak to us. The `-beta` headers choose a shape of the vendor's API, `anthropic-version` its edition: without
# them the body beside them would be refused, or its answer not understood. What a beta can reach is what the operator's
# key can.
FORWARDED_REQUEST_HEADERS = frozenset({
    b"content-type", b"accept", b"openai-beta", b"anthropic-version", b"anthropic-beta",
})  # fmt: skip

# Towards the client. Never: `set-cookie`, hop-by-hop headers, framing (ours differs), `server`, `x-request-id` (ours)
# and Anthropic's `request-id`, which its SDK shows as the id to ask support about: that is ours too; and the upstream's
# `x-ratelimit-*` and `anthropic-ratelimit-*`: they tell of the operator's account at the vendor, which many keys share,
# and one name cannot carry that and the caller's own limit. `anthropic-organization-id` names that account.
FORWARDED_RESPONSE_HEADERS = frozenset({
    b"content-type", b"cache-control", b"retry-after", b"retry-after-ms", b"openai-processing-ms", b"openai-version",
    b"openai-model", b"content-disposition",
})  # fmt: skip

_REQUEST_LINES = {name: name + b": " for name in FORWARDED_REQUEST_HEADERS}
_RESPONSE_LINES = {name: name + b": " for name in FORWARDED_RESPONSE_HEADERS}


def filter_response_headers(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The headers that pass, as lines ready to write. Raises UpstreamBroken when one has a line end in its value."""
    line_of = _RESPONSE_LINES.get
    lines: list[bytes] = []
    for name, value in headers:
        start = line_of(name.lower())
        if start is not None:
            lines.append(start + value)
    if not lines:
        return b""
    lines.append(b"")
    block = b"\r\n".join(lines)
    if block.count(b"\n") >= len(lines) or block.count(b"\r") >= len(lines):
        raise UpstreamBroken("the upstream sent a malformed header")
    return block


def filter_request_headers(headers: Mapping[bytes, bytes]) -> bytes:
    """The headers of a checked head (lower-case names, `RequestHead.headers`) that pass, as lines ready to write."""
    lines = [prefix + headers[name] + b"\r\n" for name, prefix in _REQUEST_LINES.items() if name in headers]
    return b"".join(lines)
