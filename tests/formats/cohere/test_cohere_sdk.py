"""Cohere's own client against a local server that speaks its formats."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import cohere
import pytest
from cohere.core.api_error import ApiError

from gateline.formats.call import read_call
from gateline.formats.table import ERRORS, SERVERS
from gateline.model.call import Operation
from gateline.model.chat import Choice, Reasoning, Seal, Text, ToolUse
from gateline.model.chatreply import Began, ChatReply, Delta, Finished, TextDelta, ToolBegan
from gateline.model.errors import GatewayError, ModelNotFound, RateLimited, Unauthenticated
from gateline.model.vectors import EmbedReply, Ranked, RerankReply

PATHS: dict[str, Operation] = {"/v2/chat": "cohere.chat", "/v2/embed": "cohere.embed", "/v2/rerank": "rerank"}
REPLIES: dict[Operation, Any] = {
    "cohere.chat": ChatReply(
        id="x",
        model="m",
        choices=[
            Choice(
                parts=[
                    Reasoning(text="hm", seal=Seal("anthropic", "sig")),
                    Text(text="Grüße"),
                    ToolUse(id="t", name="f", arguments='{"a":1}', seal=Seal("gemini", "g")),
                ],
                finish="tool",
            )
        ],
    ),
    "cohere.embed": EmbedReply(model="m", vectors=[[0.5, 1.0]], id="x"),
    "rerank": RerankReply(model="m", results=[Ranked(index=1, score=0.5)], searches=1),
}
DELTAS: list[Delta] = [Began(id="x", model="m"), TextDelta(text="Grü"), TextDelta(text="ße"),
                       ToolBegan(index=0, id="t", name="f"), Finished(finish="tool")]  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    asked: list[Any]
    failure: GatewayError | None
    port: int

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        server = SERVERS[PATHS[self.path]]
        call = read_call(body, PATHS[self.path], "", None)
        ask = server.read(call, body)
        self.asked.append(ask)
        if self.failure is not None:
            self._answer(self.failure.status, ERRORS["cohere"].write(self.failure, "req_1"), "application/json")
        elif call.stream:
            assert server.writer is not None
            writer = server.writer(ask, "req_1")
            self._answer(200, writer.write(DELTAS) + writer.end(), server.stream_type.decode())
        else:
            self._answer(200, server.write_reply(REPLIES[call.operation], ask), "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served() -> Iterator[type[_Handler]]:
    class Handler(_Handler):
        asked: list[Any] = []  # noqa: RUF012 - one for each test
        failure = None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Handler.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(served: type[_Handler]) -> cohere.ClientV2:
    return cohere.ClientV2("sk-gl-key", base_url=f"http://127.0.0.1:{served.port}")


HI: Any = {"role": "user", "content": "hi"}


def test_a_chat_is_answered(client: cohere.ClientV2, served: type[_Handler]) -> None:
    """What comes back goes in again, seals and all, as the SDK's own objects."""
    reply = client.chat(model="m", messages=[HI])
    assert (reply.finish_reason, reply.id) == ("TOOL_CALL", "x")
    client.chat(model="m", messages=[HI, reply.message, {"role": "tool", "tool_call_id": "t", "content": "r"}])  # type: ignore[list-item]
    assert served.asked[1].turns[1].parts == REPLIES["cohere.chat"].choices[0].parts


def test_a_stream_is_read_event_by_event(client: cohere.ClientV2) -> None:
    """Each event is one that the SDK knows."""
    events = list(client.chat_stream(model="m", messages=[HI]))
    assert [event.type for event in events] == [
        "message-start", "content-start", "content-delta", "content-delta", "content-end", "tool-call-start",
        "tool-call-delta", "tool-call-end", "message-end",
    ]  # fmt: skip


def test_vectors_and_rankings_are_read(client: cohere.ClientV2) -> None:
    """By `embed` and `rerank`."""
    embedded = client.embed(model="m", texts=["a"], input_type="search_query", embedding_types=["float"])
    assert embedded.embeddings.float_ == [[0.5, 1.0]]
    ranked = client.rerank(model="m", query="q", documents=["a", "b"], top_n=1)
    assert (ranked.results[0].index, ranked.results[0].relevance_score) == (1, 0.5)
    assert ranked.meta is not None
    assert ranked.meta.billed_units is not None
    assert ranked.meta.billed_units.search_units == 1


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Unauthenticated("who"), cohere.UnauthorizedError),
        (ModelNotFound("no m"), cohere.NotFoundError),
        (RateLimited("slow"), cohere.TooManyRequestsError),
    ],
)
def test_a_failure_is_the_sdks_own_error(
    client: cohere.ClientV2, served: type[_Handler], failure: GatewayError, kind: type[ApiError]
) -> None:
    """It raises the class that its users catch, with our message."""
    served.failure = failure
    with pytest.raises(kind) as raised:
        client.chat(model="m", messages=[HI], request_options={"max_retries": 0})
    assert raised.value.body == {"message": str(failure), "id": "req_1"}
