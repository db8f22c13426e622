"""Large replies that another process translates: asked for, waited for in bounds, and done here without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateline.app.complaints import Complaints
from gateline.app.peeker import answer
from gateline.gateway import relay
from gateline.gateway.translate import write_reply
from gateline.model.peek import Failed, FromPeeker, TranslateReply
from gateline.model.snapshot import Retry, Server
from gateline.model.usage import Usage
from gateline.net.flow import Flow
from gateline.net.peeklink import Question
from gateline.net.spool import Spool
from tests.gateway.rig import BODY, LAST, Gate, Upstream, call, chunk, error, reply, snapshot, status
from tests.net.transport import FakeTransport, on_loop, until

TEXT = b"x" * 2_000_000
WHOLE = BODY.replace(b"{}", b'{"message":{"content":"%b"}}' % TEXT)
MESSAGE = call(b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}').replace(
    b"/v1/chat/completions", b"/v1/messages"
)
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


class Peeker:
    """Keeps questions about replies until the test has them answered, by the code of the process itself."""

    def __init__(self) -> None:
        self.questions: list[tuple[TranslateReply, Question]] = []
        self.forgotten = 0

    def ask_reply(
        self, spool: Spool, operation: str, flow: Flow, packed: int, *, spoken: str, secret: str, sealer: str
    ) -> Question:
        asked = TranslateReply(1, operation, len(spool) - packed, packed, spoken, secret, sealer)
        question = Question(1, flow, spool)
        self.questions.append((asked, question))
        return question

    def forget(self, _: Question) -> None:
        self.forgotten += 1

    def answer(self) -> None:
        (asked, question) = self.questions[-1]
        told, pieces = answer(asked, question.spool.pages, Complaints("peeker", 0), 60.0)
        self.tell(msgspec.msgpack.decode(told, type=FromPeeker), b"".join(pieces))

    def tell(self, told: FromPeeker, body: bytes = b"") -> None:
        _, question = self.questions[-1]
        if body:
            room = Spool(len(body))
            room.extend(body)
            question.pages = room.pages
        question.answer = told
        question.flow.wake()


class Here:
    """Counts what is translated in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        monkeypatch.setattr(relay, "write_reply", self)

    def __call__(self, *args: Any) -> Any:
        self.times += 1
        return write_reply(*args)


async def asked(folder: Path, wire: bytes, **server: float) -> tuple[Gate, Peeker, FakeTransport, Upstream]:
    """A call whose large reply has come."""
    gate = Gate(folder, snapshot(retry=Retry(attempts=1), server=Server(**server)))  # type: ignore[arg-type]
    peeker = Peeker()
    gate.front._pipeline._attempt.__self__._peeker = peeker  # type: ignore[attr-defined]
    client, upstream = await gate.asked(MESSAGE)
    for at in range(0, len(wire), 65_536):
        upstream.reply(wire[at : at + 65_536])
    await gate.settle()
    return gate, peeker, client, upstream


def in_chunks(body: bytes) -> bytes:
    return CHUNKED + b"".join(chunk(body[at : at + 50_000]) for at in range(0, len(body), 50_000)) + LAST


@pytest.mark.parametrize("wire", [reply(WHOLE), in_chunks(WHOLE)])
@on_loop
async def test_a_large_reply_is_translated_by_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wire: bytes
) -> None:
    """Nothing of it is decoded here; the client gets it in its format, the ledger its usage."""
    here = Here(monkeypatch)
    gate, peeker, client, _ = await asked(tmp_path, wire)
    assert not client.out
    peeker.answer()
    await until(lambda: gate.journal.records)
    head, _, body = client.out.partition(b"\r\n\r\n")
    assert b"content-length: %d" % len(body) in head
    told = json.loads(body)
    assert (told["type"], told["content"][0]["text"]) == ("message", TEXT.decode())
    assert (gate.record.status, gate.record.usage, gate.record.bytes_out) == (200, Usage(2, 3), len(client.out))
    assert (here.times, peeker.forgotten) == (0, 1)


@pytest.mark.parametrize(("size", "apart"), [(300_000, 1), (200_000, 0)])
@on_loop
async def test_what_counts_as_large_does_so_for_replies_that_come_at_once(
    tmp_path: Path, size: int, apart: int
) -> None:
    """From 256 KiB on the other process has them; what is smaller is translated at once."""
    gate, peeker, client, _ = await asked(tmp_path, reply(WHOLE.replace(TEXT, b"x" * size)))
    assert len(peeker.questions) == apart
    if apart:
        peeker.answer()
        await until(lambda: gate.journal.records)
    assert (status(client), gate.record.usage) == (200, Usage(2, 3))


@on_loop
async def test_an_error_in_a_large_reply_is_told_by_the_other_process(tmp_path: Path) -> None:
    """In the client's format, without the secret it was sent with; what it cost is noted."""
    failed = b'{"error":{"message":"no room for sk-of-up"},"pad":"%b","usage":%b}' % (
        TEXT, b'{"prompt_tokens":2,"completion_tokens":3}'
    )  # fmt: skip
    gate, peeker, client, _ = await asked(tmp_path, reply(failed))
    peeker.answer()
    assert status(client) == 502
    assert error(client)["message"].startswith("no room for")
    assert b"sk-of-up" not in client.out
    assert (gate.record.error, gate.record.usage) == ("upstream_error", Usage(2, 3))


@on_loop
async def test_a_slow_client_gets_a_translated_reply_at_its_pace(tmp_path: Path) -> None:
    """While it takes nothing at most one piece is written; it leaves, and the record says so and what it cost."""
    gate, peeker, client, _ = await asked(tmp_path, reply(WHOLE))
    client._protocol.pause_writing()
    peeker.answer()
    assert client.out.partition(b"\r\n\r\n")[2] == b""
    client._protocol.resume_writing()
    assert len(client.out) < len(TEXT) / 4  # a piece a turn of the loop: others have theirs in between
    await until(lambda gate=gate: gate.journal.records)  # type: ignore[misc]
    assert len(client.out) > len(TEXT)
    gate, peeker, client, _ = await asked(tmp_path / "left", reply(WHOLE))
    client._protocol.pause_writing()
    peeker.answer()
    client.end()
    assert (gate.record.status, gate.record.usage) == (499, Usage(2, 3))


@pytest.mark.parametrize("how", ["failed", "silent"])
@on_loop
async def test_without_that_process_a_large_reply_is_translated_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """It failed, or has died with the question: the answer is paid for, and given all the same."""
    here = Here(monkeypatch)
    gate, peeker, client, _ = await asked(tmp_path, reply(WHOLE))
    if how == "failed":
        peeker.tell(Failed(1))
    else:
        await gate.tick(9)
        assert here.times == 0
        await gate.tick(2)
    await until(lambda: gate.journal.records)
    assert (status(client), gate.record.usage, here.times) == (200, Usage(2, 3), 1)


@on_loop
async def test_the_calls_deadline_holds_while_another_process_works(tmp_path: Path) -> None:
    """504 in the client's format; what it cost is noted, the question forgotten."""
    gate, peeker, client, _ = await asked(tmp_path, reply(WHOLE), request_timeout=5.0)
    await gate.tick(6)
    assert (status(client), gate.record.error, gate.record.usage) == (504, "call_timeout", Usage(2, 3))
    assert peeker.forgotten == 1


@on_loop
async def test_a_client_that_leaves_meanwhile_is_billed(tmp_path: Path) -> None:
    """All of the reply has come; an answer that comes later finds nobody."""
    gate, peeker, client, _ = await asked(tmp_path, reply(WHOLE))
    client.end()
    assert (gate.record.status, gate.record.usage, peeker.forgotten) == (499, Usage(2, 3), 1)
    peeker.answer()
    assert len(gate.journal.records) == 1
