"""Fuzz targets of what stands between formats: nothing that a client or a vendor sends raises more than the error tree
knows, and no cut changes what a stream says."""

from __future__ import annotations

import json

from gateline.formats.call import read_call
from gateline.formats.contract import Ask
from gateline.formats.dialect import PLAIN
from gateline.formats.table import CLIENTS, SERVERS
from gateline.formats.translation import Translation
from gateline.model.call import KINDS, Operation
from gateline.model.chat import Chat
from gateline.model.errors import BadRequest, UpstreamError
from gateline.model.vectors import Count, Embed, Rerank
from tests.fuzz.pieces import pieces

_OPERATIONS: list[Operation] = sorted(KINDS)
_ASKS: dict[str, Ask] = {
    "chat": Chat(model="m", turns=[], stream=True, include_usage=True),
    "embeddings": Embed(model="m", inputs=["a"]),
    "rerank": Rerank(model="m", query="q", documents=["a", "b"], return_documents=True),
    "count": Count(chat=Chat(model="m", turns=[])),
}


def _picked(data: bytes, place: int) -> Operation:
    return _OPERATIONS[data[place] % len(_OPERATIONS)] if place < len(data) else _OPERATIONS[0]


def translated_call(data: bytes) -> None:
    """The first byte picks the client's format. A call is refused as a bad request, or every vendor's body for it is
    JSON."""
    operation = _picked(data, 0)
    server = SERVERS.get(operation)
    if server is None:
        return
    try:
        ask = server.read(read_call(data[1:], operation, "m", False), data[1:])
    except BadRequest:
        return
    for spoken, client in CLIENTS.items():
        if KINDS[spoken] == KINDS[operation]:
            try:
                written = client.write(ask, "target", PLAIN)
            except BadRequest:
                continue
            json.loads(written.body)
            assert all(isinstance(name, str) for name in written.dropped)


def translated_reply(data: bytes) -> None:
    """The first byte picks the vendor's format. A reply is the upstream's failure, or can be written in every format
    that asks for its kind."""
    operation = _picked(data, 0)
    client = CLIENTS.get(operation)
    if client is None:
        return
    try:
        reply = client.read_reply(data[1:], "sk-secret")
    except UpstreamError as error:
        message = str(error)
    else:
        message = ""
        for asked, server in SERVERS.items():
            if KINDS[asked] == KINDS[operation]:
                json.loads(server.write_reply(reply, _ASKS[KINDS[asked]]))
    assert "sk-secret" not in message


def translated_stream(data: bytes) -> None:
    """The first two bytes pick the formats. However a stream is cut, it is broken or whole all the same, with the same
    count of tokens."""
    client, server = CLIENTS.get(_picked(data, 0)), SERVERS.get(_picked(data, 1))
    if client is None or client.reader is None or server is None or server.writer is None:
        return
    whole, cut = pieces(data[2:])
    ask = _ASKS["chat"]
    assert isinstance(ask, Chat)
    found = []
    for reads in ([whole], cut):
        codec = Translation(client.reader("sk-secret"), server.writer(ask, "req_1"))
        for read in reads:
            codec.feed(read)
        codec.end()
        assert codec.done is (codec.error is None)
        if codec.error is not None:
            codec.fail(codec.error, "req_1")
        found.append((codec.done, codec.visible, codec.usage) if codec.done else None)
    assert found[0] == found[1]
