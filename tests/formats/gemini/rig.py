"""Google's own SDK in front of a gateway that is a function, and the neutral calls and answers to try it with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import httpx
import msgspec
from google import genai
from google.genai import types

from gateline.formats.gemini.reader import StreamReader
from gateline.formats.gemini.request import read_chat
from gateline.model.call import Call, Operation
from gateline.model.chat import Chat, Part, Text, Turn
from gateline.model.chatreply import ChatReply, Delta

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
Answer = Callable[[Chat], bytes]


def call(body: bytes, operation: Operation = "generate_content", *, stream: bool = False) -> Call:
    return Call(operation, "the-model", _fields(body), stream=stream)


def read(body: bytes | dict[str, Any]) -> Chat:
    given = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return read_chat(call(given), given)


def sdk(answer: Answer, content_type: str = "application/json") -> genai.Client:
    """The SDK, answered with what `answer` makes of the chat that was read from its request."""

    def handle(request: httpx.Request) -> httpx.Response:
        body = request.read()
        return httpx.Response(200, content=answer(read_chat(call(body), body)), headers={"content-type": content_type})

    transport = httpx.Client(transport=httpx.MockTransport(handle))
    return genai.Client(api_key="k", http_options=types.HttpOptions(base_url="http://gateway", httpx_client=transport))


def parse(body: bytes) -> types.GenerateContentResponse:
    """Strictly: fields that the SDK does not know are refused."""
    return types.GenerateContentResponse.model_validate_json(body)


def events(stream: bytes) -> list[bytes]:
    """The data of server-sent events."""
    assert stream.endswith(b"\r\n\r\n") or not stream
    found = stream.split(b"\r\n\r\n")[:-1]
    assert all(event.startswith(b"data: ") for event in found)
    return [event.removeprefix(b"data: ") for event in found]


def sse(*objects: bytes) -> bytes:
    return b"".join(b"data: " + each + b"\r\n\r\n" for each in objects)


def feed(stream: bytes, cuts: Iterable[int] = ()) -> tuple[list[Delta], StreamReader]:
    """What a reader makes of a stream that arrives cut at these places."""
    reader = StreamReader("the-secret")
    deltas: list[Delta] = []
    start = 0
    for cut in [*cuts, len(stream)]:
        deltas += reader.feed(stream[start:cut])
        start = cut
    deltas += reader.end()
    return deltas, reader


def asking(*parts: Part, **fields: Any) -> Chat:
    return Chat(model="the-model", turns=[Turn(role="user", parts=list(parts) or [Text(text="hello")])], **fields)


def reply_parts(reply: ChatReply) -> list[Part]:
    assert len(reply.choices) == 1
    return reply.choices[0].parts
