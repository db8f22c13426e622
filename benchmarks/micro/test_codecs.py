"""What each pure step of a request costs, without sockets: `pytest benchmarks/micro --benchmark-only`."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from gateline.formats.call import read_call, write_body
from gateline.formats.dialect import PLAIN
from gateline.formats.openai.usage import read_usage, usage_in_tail
from gateline.formats.openai.watch import StreamCodec
from gateline.formats.table import CLIENTS, SERVERS
from gateline.formats.translation import Translation
from gateline.model.call import Operation
from gateline.model.chatreply import Began, TextDelta
from gateline.wire.header_policy import filter_request_headers, filter_response_headers
from gateline.wire.http1 import HeadGuard, check_request_head
from gateline.wire.http1_write import request_head, response_head
from gateline.wire.sse import EventSplitter

REQUEST = [
    (b"Host", b"127.0.0.1:8080"), (b"Accept-Encoding", b"gzip, deflate"), (b"Connection", b"keep-alive"),
    (b"Accept", b"application/json"), (b"Content-Type", b"application/json"), (b"User-Agent", b"OpenAI/Python 1.60"),
    (b"Authorization", b"Bearer sk-gl-0123456789abcdefghijklmnopqrstuv"), (b"Content-Length", b"239"),
]  # fmt: skip
RESPONSE = [
    (b"date", b"Tue, 24 Nov 2026 17:00:00 GMT"), (b"content-type", b"application/json"), (b"server", b"x"),
    (b"content-length", b"598"), (b"x-ratelimit-limit-requests", b"1"), (b"x-request-id", b"1"),
    (b"openai-processing-ms", b"12"), (b"openai-version", b"2020-10-01"), (b"set-cookie", b"x"), (b"cf-ray", b"x"),
]  # fmt: skip
WIRE = b"POST /v1/chat/completions HTTP/1.1\r\n" + b"".join(b"%b: %b\r\n" % pair for pair in REQUEST) + b"\r\n"
MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "Say something nice about the weather in Lisbon, please, in one sentence."},
]
BODY = json.dumps({"model": "gpt-4o", "messages": MESSAGES, "temperature": 0.7, "max_tokens": 64}).encode()
STREAMED = BODY[:-1] + b',"stream":true}'
USAGE = (
    b'"usage":{"prompt_tokens":20,"completion_tokens":30,"total_tokens":50,"prompt_tokens_details":{"cached_tokens":0,'
    b'"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},"system_fingerprint":"fp_1"}'
)
REPLY = (
    b'{"id":"chatcmpl-abc","object":"chat.completion","created":1700000000,"model":"gpt-4o-2024-08-06","choices":['
    b'{"index":0,"message":{"role":"assistant","content":"' + b"x" * 180 + b'","refusal":null},"logprobs":null,'
    b'"finish_reason":"stop"}],' + USAGE
)
EVENT = (
    b'data: {"id":"chatcmpl-abcdefghijklmnop","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o",'
    b'"choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}],"usage":null}\n\n'
)
FOUR = EVENT * 4
CALL = read_call(BODY, "chat.completions")
STREAM_CALL = read_call(STREAMED, "chat.completions")
CHECKED = check_request_head(b"POST", b"/v1/chat/completions", "1.1", REQUEST).headers
TAIL = b"x" * 65_000 + REPLY[-400:]
GUARD = HeadGuard()
SPLITTER = EventSplitter()
CUTTING = StreamCodec(include_usage=False)
PASSING = StreamCodec(include_usage=True)
READING = StreamCodec(include_usage=False)
PADDED = EVENT.replace(b'"usage":null', b'"usage":null,"obfuscation":"x"')
TURNS = itertools.cycle([EVENT, PADDED])  # no two in a row alike: each is read
LINES = filter_response_headers(RESPONSE)

# The same small call in each format, and the operation that it is.
ASKED: dict[Operation, dict[str, Any]] = {
    "chat.completions": {"model": "m", "messages": MESSAGES, "temperature": 0.7, "max_tokens": 64},
    "responses": {"model": "m", "input": MESSAGES[1]["content"], "temperature": 0.7, "max_output_tokens": 64},
    "messages": {"model": "m", "system": MESSAGES[0]["content"], "messages": MESSAGES[1:], "max_tokens": 64},
    "generate_content": {"contents": [{"role": "user", "parts": [{"text": MESSAGES[1]["content"]}]}]},
    "converse": {"messages": [{"role": "user", "content": [{"text": MESSAGES[1]["content"]}]}]},
    "cohere.chat": {"model": "m", "messages": MESSAGES, "temperature": 0.7, "max_tokens": 64},
    "ollama.chat": {"model": "m", "messages": MESSAGES},
}
BODIES = {operation: json.dumps(body).encode() for operation, body in ASKED.items()}
CALLS = {operation: read_call(body, operation, "m") for operation, body in BODIES.items()}
CHATS = {operation: SERVERS[operation].read(CALLS[operation], body) for operation, body in BODIES.items()}
WHOLE = CLIENTS["chat.completions"].read_reply(REPLY, "")
REPLIES = {operation: SERVERS[operation].write_reply(WHOLE, CHATS[operation]) for operation in BODIES}
ALIKE = [EVENT.replace(b" token", b" other").replace(b',"usage":null', b""), EVENT.replace(b',"usage":null', b"")]
TEXTS = itertools.cycle([[TextDelta(text=" token")], [TextDelta(text=" other")]])


def translate_call(client: Operation, vendor: Operation) -> bytes:
    chat = SERVERS[client].read(CALLS[client], BODIES[client])
    return CLIENTS[vendor].write(chat, "m", PLAIN).body


def translate_reply(client: Operation, vendor: Operation) -> bytes:
    return SERVERS[client].write_reply(CLIENTS[vendor].read_reply(REPLIES[vendor], ""), CHATS[client])


def streaming(client: Operation, pieces: Iterator[bytes]) -> Callable[[], bytes]:
    """Feeds a running stream from an OpenAI-compatible vendor to a client of another format."""
    codec = _codec(client)
    for _ in range(4):
        codec.feed(next(pieces))
    return lambda: codec.feed(next(pieces))


def writing(client: Operation) -> Callable[[], bytes]:
    """Writes the texts of a running stream."""
    writer = SERVERS[client].writer
    assert writer is not None
    write = writer(CHATS[client], "req_1").write
    write([Began(id="c", model="m")])
    return lambda: write(next(TEXTS))


def _codec(client: Operation) -> Translation:
    reader, writer = CLIENTS["chat.completions"].reader, SERVERS[client].writer
    assert reader is not None
    assert writer is not None
    return Translation(reader(""), writer(CHATS[client], "req_1"))


TRANSLATIONS: dict[str, Callable[[], Any]] = {
    "translate a call": lambda: translate_call("messages", "chat.completions"),
    "translate a reply": lambda: translate_reply("messages", "chat.completions"),
    "translate a text event": streaming("messages", itertools.cycle(ALIKE)),
    "translate a text event unlike the one before": streaming("messages", itertools.cycle([EVENT, PADDED])),
}
for _vendor in BODIES:
    if _vendor != "chat.completions":
        TRANSLATIONS[f"translate a call to {_vendor}"] = partial(translate_call, "chat.completions", _vendor)
        TRANSLATIONS[f"translate a reply of {_vendor}"] = partial(translate_reply, "chat.completions", _vendor)
        TRANSLATIONS[f"write a text event for {_vendor}"] = writing(_vendor)

STEPS: dict[str, Callable[[], Any]] = {
    "guard a head": lambda: GUARD.feed(WIRE),
    "check a head of 8 headers": lambda: check_request_head(b"POST", b"/v1/chat/completions", "1.1", REQUEST),
    "read a call of 239 bytes": lambda: read_call(BODY, "chat.completions"),
    "write its body": lambda: write_body(CALL, "gpt-4o-2024-08-06", ask_usage=True),
    "write a stream's body": lambda: write_body(STREAM_CALL, "gpt-4o-2024-08-06", ask_usage=True),
    "pick request headers": lambda: filter_request_headers(CHECKED),
    "write a request head": lambda: request_head(b"POST", b"/v1/embeddings", b"a:9000", content_length=239),
    "pick from 10 response headers": lambda: filter_response_headers(RESPONSE),
    "write a response head": lambda: response_head(200, lines=LINES, content_length=598),
    "read usage of 598 bytes": lambda: read_usage(REPLY),
    "read usage of a 64 KiB tail": lambda: usage_in_tail(TAIL),
    "split one event": lambda: SPLITTER.feed(EVENT),
    "split four events": lambda: SPLITTER.feed(FOUR),
    "relay an event, usage cut": lambda: CUTTING.feed(EVENT),
    "relay an event unlike the one before, usage cut": lambda: READING.feed(next(TURNS)),
    "relay an event as it is": lambda: PASSING.feed(EVENT),
}


STEPS |= TRANSLATIONS


@pytest.mark.parametrize("step", STEPS)
def test_step(benchmark: BenchmarkFixture, step: str) -> None:
    """One step of the pipeline, on its own."""
    assert benchmark(STEPS[step]) is not None
