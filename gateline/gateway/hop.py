"""How calls of one operation get to one target: as what they are sent, to which path, and what must be translated."""

from __future__ import annotations

from gateline.formats.contract import Client, Server
from gateline.formats.foreign import foreign_hint
from gateline.formats.openai.sides import QUIET_CLIENT, QUIET_WATCH
from gateline.formats.renamed import NAMED_INSIDE
from gateline.formats.table import CLIENTS, SERVERS, WATCHES
from gateline.model.call import WITH_FILES, Operation
from gateline.model.snapshot import Provider
from gateline.net.connect import proxy_for
from gateline.providers.head import host_of, raw_head, upstream_head
from gateline.providers.paths import request_target
from gateline.providers.row import Row

_JSON = b"Content-Type: application/json\r\n"
_IN_PATH: frozenset[Operation] = frozenset({
    "generate_content", "gemini.count_tokens", "embed_content", "batch_embed_contents", "converse",
})  # fmt: skip
_CHANGED = NAMED_INSIDE | WITH_FILES | {"responses"}
_ASKS_USAGE: frozenset[Operation] = frozenset({"chat.completions", "completions"})


class Hop:
    """`head` is the request head up to where the credential goes, `path` its target. `client` None: the client's format
    is the vendor's, and bytes pass, watched by `watch`; else the call is read by `server` and written by `client`.

    `model` is the vendor's name of it; `body_model` stands in a body that passes, None where the path says it.
    `is_raw`: request and reply pass whatever they are. `is_plain`: a body passes but for what is decided on, and
    nothing inside its fields is changed, where it does not hold `foreign_hint`. `asks_usage`, `added`: see
    `formats.call.write_body`. `lines` are header lines in place of the client's. `glance` is the watch's, where whole
    replies pass.
    """

    __slots__ = (
        "added", "asks_usage", "body_model", "client", "dialect", "foreign_hint", "glance", "head", "is_plain",
        "is_raw", "lines", "method", "model", "operation", "path", "server", "watch",
    )  # fmt: skip

    def __init__(self, provider: Provider, row: Row, model: str, operation: Operation, *, stream: bool) -> None:
        self.operation = operation
        self.dialect = row.dialect
        self.method = b"POST"
        self.path = request_target(provider, row, operation, model, stream=stream)
        self.head = b"" if provider.engine else _head(provider, row, operation, model, stream=stream)
        self.model = model
        self.body_model = None if operation in _IN_PATH or row.dialect.anthropic_version else model
        version = row.dialect.anthropic_version
        self.added = {"anthropic_version": version} if version else {}
        self.asks_usage = row.dialect.stream_options if operation in _ASKS_USAGE else None
        self.watch = WATCHES.get(operation)
        self.glance = self.watch.glance if self.watch is not None else None
        self.foreign_hint = foreign_hint(operation)
        self.is_raw = False
        self.is_plain = operation not in _CHANGED
        self.client: Client | None = None
        self.server: Server | None = None
        self.lines: bytes | None = None


def raw_hop(provider: Provider, row: Row, method: bytes, path: str) -> Hop:
    """For a request that passes as it is. Raises ValueError when `path` cannot stand in a head."""
    hop = Hop.__new__(Hop)
    hop.operation = "passthrough"
    hop.dialect = row.dialect
    hop.method = method
    hop.path = path
    hop.head = _through_proxy(provider, method, raw_head(provider, row, method, path))
    hop.model = ""
    hop.body_model = None
    hop.added = {}
    hop.asks_usage = None
    hop.foreign_hint = b""
    hop.watch = WATCHES["passthrough"]
    hop.glance = None
    hop.is_raw = True
    hop.is_plain = False
    hop.client = hop.server = hop.lines = None
    return hop


def make_hop(provider: Provider, row: Row, model: str, operation: Operation, *, stream: bool) -> Hop | None:
    """None when a call of `operation` cannot get there."""
    spoken = row.spoken(operation)
    if spoken is None:
        return None
    hop = Hop(provider, row, model, spoken, stream=stream)
    is_quiet = row.dialect.ends_without_done and spoken == "chat.completions"
    if is_quiet:
        hop.watch = QUIET_WATCH
    has_own_shape = spoken == "rerank" and row.dialect.rerank != "cohere"
    if spoken != operation or has_own_shape:
        hop.client, hop.server = QUIET_CLIENT if is_quiet else CLIENTS.get(spoken), SERVERS.get(operation)
        if hop.client is None or hop.server is None:
            return None
        if stream and (hop.client.reader is None or hop.server.writer is None):
            return None
        hop.lines = _JSON + row.edition
        hop.glance = None
        hop.is_plain = False
    return hop


def _head(provider: Provider, row: Row, operation: Operation, model: str, *, stream: bool) -> bytes:
    """Everything of the request head that depends neither on the request nor on which key is used."""
    return _through_proxy(provider, b"POST", upstream_head(provider, row, operation, model, stream=stream))


def _through_proxy(provider: Provider, method: bytes, head: bytes) -> bytes:
    proxy = proxy_for(provider) if provider.scheme == "http" else None
    if proxy is not None:
        # A plain upstream behind a proxy is asked for in absolute form (RFC 9112, section 3.2.2).
        head = head.replace(method + b" ", b"%b http://%b" % (method, host_of(provider).encode()), 1)
        if proxy.authorization:
            head += b"Proxy-Authorization: " + proxy.authorization.encode() + b"\r\n"
    return head
