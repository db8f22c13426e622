"""Asking a provider for its list: every vendor's shape, its own credential, and a bound on everything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from gateline.control.catalogue import live
from gateline.control.catalogue.live import NoList, live_list
from gateline.model.snapshot import Provider
from gateline.net.egress import EgressPolicy
from gateline.providers.row import Row

ROW = Row(title="a vendor")
SECRET = "sk-secret"
HELD = b"{"  # after this nothing comes, and the connection stays


class Vendor:
    """Answers every request with the same bytes, and keeps the heads it got."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heads: list[str] = []
        self.holds = answer.endswith(HELD)
        self.port = 0
        self.tasks: list[asyncio.Task[None] | None] = []

    def provider(self, **fields: Any) -> Provider:
        usual = {"scheme": "http", "host": "127.0.0.1", "port": self.port, "path": "/v1", "api_key": SECRET}
        return Provider(**{"name": "up", "kind": "openai", **usual, **fields})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.current_task())
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(self.answer)
        if self.holds:
            await reader.read()  # until the caller has gone
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def vendor(answer: bytes) -> AsyncIterator[Vendor]:
    found = Vendor(answer)
    server = await asyncio.start_server(found._serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        try:
            yield found
        finally:
            await asyncio.gather(*(task for task in found.tasks if task is not None))


def reply(body: object, status: str = "200 OK") -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(raw)}\r\nConnection: close\r\n\r\n".encode() + raw


def asked(answer: bytes, row: Row = ROW, **fields: Any) -> tuple[tuple[str, ...], str]:
    """The list, and the head of the request that got it."""

    async def ask() -> tuple[tuple[str, ...], str]:
        async with vendor(answer) as there:
            return await live_list(there.provider(**fields), row, EgressPolicy()), there.heads[0]

    return asyncio.run(ask())


def refused(answer: bytes, row: Row = ROW, **fields: Any) -> str:
    with pytest.raises(NoList) as caught:
        asked(answer, row, **fields)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "row", "path", "names"),
    [
        ({"object": "list", "data": [{"id": "a"}, {"id": "b"}, {"id": "a"}]}, ROW, "/v1/models", ("a", "b")),
        ([{"id": "org/a"}], ROW, "/v1/models", ("org/a",)),
        (
            {"data": [{"type": "model", "id": "claude"}], "has_more": False},
            Row(title="", speaks=("messages",), auth="x-api-key", edition=b"anthropic-version: 2023-06-01\r\n"),
            "/v1/models?limit=1000",
            ("claude",),
        ),
        (
            {"models": [{"name": "models/gemini"}]},
            Row(title="", speaks=("generate_content",), auth="x-goog-api-key"),
            "/v1/models?pageSize=1000",
            ("gemini",),
        ),
        (
            {"models": [{"name": "llama:8b", "model": "llama:8b"}]},
            Row(title="", speaks=("ollama.chat",), auth="none"),
            "/v1/api/tags",
            ("llama:8b",),
        ),
    ],
)
def test_each_vendors_list_is_read(body: object, row: Row, path: str, names: tuple[str, ...]) -> None:
    """Names in the vendor's order, each once; the request has the row's lines, and the credential where it belongs."""
    found, head = asked(reply(body), row)
    assert found == names
    lines = head.split("\r\n")
    assert lines[0] == f"GET {path} HTTP/1.1"
    shown = {"bearer": "authorization: bearer ", "none": None}.get(row.auth, f"{row.auth}: ")
    assert [line.lower() for line in lines if SECRET in line] == ([] if shown is None else [shown + SECRET])
    assert row.edition.decode().strip().lower() in head.lower()


@pytest.mark.parametrize(
    "answer",
    [
        reply({"data": []}),
        reply({"data": "none"}),
        reply("text"),
        reply(b"[" * 100_000),
        reply(b"{]"),
        reply({"data": [{"id": 7}, {"name": ""}, "x", None]}),
        reply({"error": SECRET}, "401 Unauthorized"),
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"",
    ],
)
def test_what_is_no_list_is_said_to_be_none(answer: bytes) -> None:
    """Whatever comes, it is one error, which repeats nothing that the vendor said. Redirects are not followed."""
    said = refused(answer)
    assert said
    assert SECRET not in said


def test_a_list_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its bytes and in its names."""
    many = reply({"data": [{"id": f"m{number}"} for number in range(5_000)]})
    assert len(asked(many)[0]) == live.MOST
    monkeypatch.setattr(live, "_MAX_REPLY", 1_000)
    assert "1000 bytes" in refused(many)


def test_a_vendor_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slowly it goes on: the whole exchange has one deadline."""
    monkeypatch.setattr(live, "_SECONDS", 0.5)
    assert "TimeoutError" in refused(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + HELD)


@pytest.mark.parametrize(
    "change",
    [
        {"row": Row(title="", issuer="aws")},
        {"row": Row(title="", auth="api-key", issuer="entra")},
        {"row": Row(title="", speaks=("converse",))},
        {"api_key": "a\r\nb"},
    ],
)
def test_who_cannot_be_asked_is_not(change: dict[str, Any]) -> None:
    """No request goes out to clouds, to vendors whose format has no list, or with a key that is none."""

    async def ask() -> None:
        async with vendor(reply({"data": [{"id": "a"}]})) as there:
            row = change.get("row", ROW)
            fields = {name: value for name, value in change.items() if name != "row"}
            with pytest.raises(NoList):
                await live_list(there.provider(**fields), row, EgressPolicy())
            assert there.heads == []

    asyncio.run(ask())


def test_a_name_that_leads_inside_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The egress policy holds for lists as for calls; a network that is opened may be asked."""

    async def ask(policy: EgressPolicy) -> tuple[tuple[str, ...], list[str]]:
        async with vendor(reply({"data": [{"id": "a"}]})) as there:
            loop = asyncio.get_running_loop()
            resolve: Callable[..., Any] = loop.getaddrinfo

            async def inside(host: str, port: int, **kind: Any) -> Any:
                assert host == "vendor.example"
                return await resolve("127.0.0.1", port, **kind)

            monkeypatch.setattr(loop, "getaddrinfo", inside)
            return await live_list(there.provider(host="vendor.example"), ROW, policy), there.heads

    with pytest.raises(NoList, match="EgressRefused"):
        asyncio.run(ask(EgressPolicy()))
    names, heads = asyncio.run(ask(EgressPolicy(("127.0.0.0/8",))))
    assert names == ("a",)
    assert "host: vendor.example:" in heads[0].lower()
