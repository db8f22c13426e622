"""Streams of responses, as clients get them and as vendors send them."""

from __future__ import annotations

import json

from gateline.formats.responses.reader import ResponseReader
from gateline.formats.responses.writer import ResponseWriter
from gateline.model.chat import Chat
from gateline.model.chatreply import (
    ChatReply,
    Delta,
)
from tests.formats.responses.shapes import deltas_of

CHAT = Chat(model="asked-for", turns=[])


def streamed(reply: ChatReply, size: int = 3) -> bytes:
    writer = ResponseWriter(CHAT, "req_1", lambda: 5.0)
    return writer.write(deltas_of(reply, size)) + writer.end()


def read(stream: bytes, size: int = 0) -> tuple[list[Delta], ResponseReader]:
    reader = ResponseReader("top-secret-1")
    deltas: list[Delta] = []
    step = size or max(len(stream), 1)
    for at in range(0, len(stream), step):
        deltas += reader.feed(stream[at : at + step])
    reader.end()
    return deltas, reader


def event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | fields)}\n\n".encode()


def completed(**fields: object) -> bytes:
    return event("response.completed", response={"id": "resp_1", "status": "completed", "output": []} | fields)


CREATED = event("response.created", response={"id": "resp_1", "model": "m", "created_at": 7, "status": "in_progress"})
