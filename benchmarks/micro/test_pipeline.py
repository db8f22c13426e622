"""What a whole request costs a worker without its sockets: `pytest benchmarks/micro/test_pipeline.py`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.harness.dry import MODEL, PLAIN_REPLY, DryGateway, chat_request, dry_gateway
from benchmarks.harness.nginx import reply_body
from benchmarks.harness.wrk import chat_body

_ROUNDS, _REQUESTS, _STREAMS = 50, 100, 20
_EVENTS = 200


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _event(content: str, usage: str = "null", choices: bool = True) -> bytes:
    choice = f'{{"index":0,"delta":{{"content":"{content}"}},"finish_reason":null}}' if choices else ""
    data = (
        'data: {"id":"chatcmpl-abcdefghijklmnop","object":"chat.completion.chunk","created":1700000000,'
        f'"model":"gpt-4o","choices":[{choice}],"usage":{usage}}}\n\n'
    )
    return f"{len(data):x}\r\n{data}\r\n".encode()


USAGE = _event("", '{"prompt_tokens":20,"completion_tokens":200,"total_tokens":220}', choices=False)
DONE = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
STREAM = (HEAD, *[_event(" token")] * _EVENTS, USAGE, DONE)


@pytest.fixture
def gateway() -> Iterator[DryGateway]:
    # Not pytest's own folder: its path is longer than a socket's may be.
    with tempfile.TemporaryDirectory(prefix="gl-") as folder, dry_gateway(Path(folder)) as made:
        yield made


def test_a_call(benchmark: BenchmarkFixture, gateway: DryGateway) -> None:
    """From the client's bytes to the answer's, everything on, on a connection that repeats its head."""
    request = chat_request(chat_body(MODEL))
    assert reply_body().encode() in bytes(gateway.ask(request, PLAIN_REPLY))

    benchmark.pedantic(gateway.ask, (request, PLAIN_REPLY), rounds=_ROUNDS, iterations=_REQUESTS, warmup_rounds=2)  # type: ignore[no-untyped-call]


def test_a_call_with_a_new_head(benchmark: BenchmarkFixture, gateway: DryGateway) -> None:
    """The same where every other request has another head, which is then parsed and hashed anew."""
    body = chat_body(MODEL)
    requests = [chat_request(body), chat_request(body).replace(b"Host: ", b"User-Agent: other\r\nHost: ")]

    def two() -> None:
        gateway.ask(requests[0], PLAIN_REPLY)
        gateway.ask(requests[1], PLAIN_REPLY)

    benchmark.pedantic(two, rounds=_ROUNDS, iterations=_REQUESTS // 2, warmup_rounds=2)  # type: ignore[no-untyped-call]


def test_a_stream(benchmark: BenchmarkFixture, gateway: DryGateway) -> None:
    """A stream of 200 events, each read by itself; usage is asked for and taken out again."""
    request = chat_request(chat_body(MODEL)[:-1] + ', "stream": true}')
    assert bytes(gateway.ask(request, *STREAM)).endswith(b"0\r\n\r\n")

    benchmark.extra_info["events"] = len(STREAM) - 1
    benchmark.pedantic(gateway.ask, (request, *STREAM), rounds=10, iterations=_STREAMS, warmup_rounds=1)  # type: ignore[no-untyped-call]
