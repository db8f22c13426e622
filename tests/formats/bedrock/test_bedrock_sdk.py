"""AWS's own client against a local server that speaks this format, over TLS: it sends a bearer over nothing else."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import botocore.config
import botocore.session
import pytest
from botocore.exceptions import ClientError, EventStreamError

from gateline.formats.call import read_call
from gateline.formats.table import ERRORS, SERVERS
from gateline.model.chat import Chat, Choice, Media, Reasoning, Seal, Text, ToolUse
from gateline.model.chatreply import (
    Began,
    ChatReply,
    Counted,
    Delta,
    Finished,
    ReasoningSealed,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import Forbidden, GatewayError, ModelNotFound, RateLimited, UpstreamBroken
from gateline.model.usage import Usage
from tests.net.certificates import certificate

SERVER = SERVERS["converse"]
SIGNED = Reasoning(seal=Seal("openai", "enc"), is_hidden=True, id="rs_1")
REPLY = ChatReply(
    id="x",
    model="m",
    choices=[Choice(parts=[SIGNED, Text(text="Grüße"), ToolUse(id="t", name="f", arguments='{"a":1}')], finish="tool")],
    usage=Usage(input=5, output=2, cached=1),
)
DELTAS: list[Delta] = [
    Began(id="x", model="m"),
    ReasoningSealed(seal=Seal("openai", "enc"), is_hidden=True, id="rs_1"),
    TextDelta(text="Grüße"),
    ToolBegan(index=0, id="t", name="f"),
    ToolDelta(index=0, arguments='{"a":1}'),
    Finished(finish="tool"),
    Counted(usage=Usage(input=5, output=2, cached=1)),
]
ASK: dict[str, Any] = {
    "modelId": "acme/m",
    "messages": [
        {"role": "user", "content": [{"text": "hi"}, {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}}]}
    ],
}


class _Handler(BaseHTTPRequestHandler):
    """Notes what came in `chats`, and answers as `failure` says."""

    chats: list[Chat]
    keys: list[str | None]
    paths: list[str]
    failure: GatewayError | None
    port: int

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        is_stream = self.path.endswith("/converse-stream")
        chat = SERVER.read(read_call(body, "converse", "acme/m", is_stream), body)
        self.chats.append(chat)
        self.keys.append(self.headers["authorization"])
        self.paths.append(self.path)
        if self.failure is not None and not is_stream:
            form = ERRORS["bedrock"]
            self._answer(self.failure.status, form.write(self.failure, "req_1"), "application/json")
        elif is_stream:
            assert SERVER.writer is not None
            writer = SERVER.writer(chat, "req_1")
            end = writer.end if self.failure is None else lambda: writer.fail(self.failure or REFUSED, "req_1")
            self._answer(200, writer.write(DELTAS) + end(), SERVER.stream_type.decode())
        else:
            self._answer(200, SERVER.write_reply(REPLY, chat), "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        if status != 200 and self.failure is not None:
            for name, value in ERRORS["bedrock"].headers(self.failure):
                self.send_header(name.decode(), value.decode())
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


REFUSED = RateLimited("slow down")


@pytest.fixture
def served() -> Iterator[type[_Handler]]:
    class handler(_Handler):  # noqa: N801 - one for each test
        chats: list[Chat] = []  # noqa: RUF012
        keys: list[str | None] = []  # noqa: RUF012
        paths: list[str] = []  # noqa: RUF012
        failure = None

    server = HTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate())
    server.socket = context.wrap_socket(server.socket, server_side=True)
    handler.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(served: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """As its users make it: the gateway's key in the environment."""
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "sk-gl-key")
    once = botocore.config.Config(retries={"total_max_attempts": 1})
    made = botocore.session.Session().create_client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=f"https://127.0.0.1:{served.port}",
        verify=certificate().file,
        config=once,
    )
    yield made
    made.close()


def test_a_call_is_answered(client: Any, served: Any) -> None:
    """The key is a bearer, the model in the path; what comes back goes in again, seals and all."""
    reply = client.converse(**ASK)
    assert served.keys == ["Bearer sk-gl-key"]
    assert served.paths == ["/model/acme%2Fm/converse"]
    (part,) = served.chats[0].turns[0].parts[1:]
    assert part == Media(kind="image", mime="image/png", data="iVBORw==")
    assert reply["usage"]["totalTokens"] == 7
    assert reply["stopReason"] == "tool_use"
    assert reply["output"]["message"]["content"][2]["toolUse"]["input"] == {"a": 1}
    result = {"toolResult": {"toolUseId": "t", "content": [{"json": {"b": 2}}]}}
    turns = [*ASK["messages"], reply["output"]["message"], {"role": "user", "content": [result]}]
    client.converse(**{**ASK, "messages": turns})
    assert served.chats[1].turns[1].parts[:2] == [SIGNED, Text(text="Grüße")]
    assert served.chats[1].turns[2].parts[0].parts == [Text(text='{"b": 2}')]


def test_a_stream_is_read_event_by_event(client: Any) -> None:
    """Each event is one that the SDK knows."""
    kinds = [next(iter(event)) for event in client.converse_stream(**ASK)["stream"]]
    assert kinds == [
        "messageStart", "contentBlockDelta", "contentBlockStop", "contentBlockDelta", "contentBlockStop",
        "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("failure", "name"),
    [(RateLimited("slow down"), "ThrottlingException"), (ModelNotFound("no m"), "ResourceNotFoundException"),
     (Forbidden("not yours"), "AccessDeniedException"), (UpstreamBroken("cut"), "InternalServerException")],
)  # fmt: skip
def test_a_failure_is_the_sdks_own_error(client: Any, served: Any, failure: GatewayError, name: str) -> None:
    """It raises the class that its users catch, with our message."""
    served.failure = failure
    with pytest.raises(ClientError) as raised:
        client.converse(**ASK)
    assert raised.value.response["Error"]["Code"] == name
    assert str(failure) in raised.value.response["Error"]["Message"]
    assert isinstance(raised.value, getattr(client.exceptions, name))


def test_a_stream_that_breaks_raises(client: Any, served: Any) -> None:
    """After what came of it."""
    served.failure = REFUSED
    stream = iter(client.converse_stream(**ASK)["stream"])
    assert "messageStart" in next(stream)
    with pytest.raises(EventStreamError, match="slow down"):
        list(stream)
