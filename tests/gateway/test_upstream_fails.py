"""An upstream that fails or refuses, before and after the first byte: what its client gets, what the record says."""

from __future__ import annotations

import gc
import gzip
import json
from pathlib import Path

import pytest

from gateline.gateway.exchange import Exchange
from gateline.model.errors import UpstreamUnreachable
from gateline.model.snapshot import Retry, Server
from tests.gateway.rig import (
    BODY,
    DONE,
    LAST,
    ROLE,
    STREAM_HEAD,
    USAGE,
    WORD,
    Gate,
    Upstream,
    chat,
    chunk,
    error,
    model,
    provider,
    reply,
    snapshot,
    status,
)
from tests.net.transport import on_loop


@on_loop
async def test_an_upstream_that_ends_before_answering_is_tried_again(tmp_path: Path) -> None:
    """Nothing was visible: the next try answers, and both attempts are in the record."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat())
    upstream.lose(ConnectionResetError())
    await gate.tick(0.1)
    assert client.out == b""
    gate.connector.opened[1].reply(reply())
    record = gate.record
    assert (status(client), record.status) == (200, 200)
    assert [(each.status, each.error) for each in record.attempts] == [(0, "upstream_unreachable"), (200, "")]


@on_loop
async def test_an_upstream_that_never_answers_well_is_502(tmp_path: Path) -> None:
    """Out of tries the client hears why, in its own format, and the record has each of them."""
    gate = Gate(tmp_path)
    client, _ = await gate.asked(chat())
    for number in range(2):
        gate.connector.opened[number].reply(b"SSH-2.0\r\n\r\n")
        await gate.tick(0.1)
    assert (status(client), error(client)["code"]) == (502, "upstream_broken")
    assert [each.error for each in gate.record.attempts] == ["upstream_broken"] * 2


@on_loop
async def test_a_connection_that_died_idle_costs_no_try(tmp_path: Path) -> None:
    """The request is sent once more on a fresh connection, at once; a fresh one that dies is a failure like any."""
    gate = Gate(tmp_path, snapshot(retry=snapshot().retry.__class__(attempts=1, base=0.01, cap=0.02)))
    client, upstream = await gate.asked(chat())
    upstream.reply(reply())
    client.take()
    client.receive(chat())
    upstream.lose()
    await gate.settle()
    fresh = gate.connector.opened[1]
    fresh.reply(reply())
    assert status(client) == 200
    assert len(gate.journal.records) == 2
    assert gate.journal.records[1].status == 200
    client.take()
    client.receive(chat())
    fresh.lose()
    await gate.settle()
    gate.connector.opened[2].lose()
    await gate.settle()
    assert status(client) == 502
    assert gate.is_at_rest()


@on_loop
async def test_an_upstream_that_breaks_a_visible_stream(tmp_path: Path) -> None:
    """The client gets an error event in its own format and no clean end; the record says what happened."""
    for end in ("reset", "truncated", "garbage"):
        gate = Gate(tmp_path / end)
        client, upstream = await gate.asked(chat(stream=True))
        upstream.reply(STREAM_HEAD + chunk(WORD))
        if end == "garbage":
            upstream.reply(b"zz\r\n")
        else:
            upstream.lose(ConnectionResetError() if end == "reset" else None)
        record = gate.record
        assert (record.status, record.error, len(record.attempts)) == (200, "upstream_broken", 1)
        assert DONE not in client.out
        assert b'data: {"error":' in client.out
        assert client.out.endswith(LAST)


@on_loop
async def test_a_stream_that_breaks_unseen_goes_elsewhere(tmp_path: Path) -> None:
    """Head, comments and the role are held: when nothing else has come, a fallback answers and the client sees only
    that."""
    models = model("m", provider("one"), fallbacks=("n",)), model("n", provider("two"))
    gate = Gate(tmp_path, snapshot(*models))
    client, upstream = await gate.asked(chat(stream=True))
    upstream.reply(STREAM_HEAD + chunk(b": ping\n\n" + ROLE))
    assert client.out == b""
    upstream.lose(ConnectionResetError())
    for _ in range(3):
        await gate.tick(0.1)
        if gate.connector.opened[-1].provider == "one" and gate.connector.opened[-1] is not upstream:
            upstream = gate.connector.opened[-1]
            upstream.lose(ConnectionResetError())
    other = gate.connector.opened[-1]
    assert other.provider == "two"
    other.reply(STREAM_HEAD + chunk(WORD + USAGE + DONE) + LAST)
    assert client.out.count(b"HTTP/1.1") == 1
    assert client.out.count(WORD) == 1
    assert (gate.record.error, gate.record.target) == ("", "two/n-there")


@on_loop
async def test_a_large_body_that_breaks_off_cuts_the_connection(tmp_path: Path) -> None:
    """Part of a plain body is out: only a reset says that it is not whole."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat())
    upstream.reply(reply(BODY + b" " * 3_000_000)[:200_000])
    assert b"content-length: 3000" in client.out
    upstream.lose()
    assert "abort" in client.events
    assert (gate.record.status, gate.record.error) == (200, "upstream_broken")


@on_loop
async def test_informational_replies_and_codings_are_not_the_clients_business(tmp_path: Path) -> None:
    """1xx are skipped, a coded reply is decoded, in several gzip members too; a bomb is a broken upstream."""
    gate = Gate(tmp_path, snapshot(retry=snapshot().retry.__class__(attempts=1)))
    client, upstream = await gate.asked(chat())
    upstream.reply(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + reply(gzip.compress(BODY), "Content-Encoding: gzip"))
    assert client.take().endswith(BODY)
    client.receive(chat())
    upstream.reply(reply(gzip.compress(BODY[:9]) + gzip.compress(BODY[9:]), "Content-Encoding: gzip"))
    assert client.take().endswith(BODY)
    client.receive(chat())
    upstream.reply(reply(gzip.compress(bytes(20_000_000)), "Content-Encoding: gzip"))
    await gate.settle()
    assert status(client) == 502
    assert [each.status for each in gate.journal.records] == [200, 200, 502]


@on_loop
async def test_an_upstreams_refusal_goes_on_to_the_client(tmp_path: Path) -> None:
    """Status and reason pass; a 429's Retry-After passes; the provider's key does not, whoever quotes it."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat())
    body = b'{"error":{"message":"bad key sk-of-up","type":"invalid_request_error","code":"nope"}}'
    upstream.reply(reply(body, status="400 Bad"))
    assert (status(client), error(client)["code"]) == (400, "nope")
    assert b"sk-of-up" not in client.out
    assert gate.record.attempts[0].status == 400
    client, upstream = await gate.asked(chat())
    upstream.reply(reply(b"{}", "Retry-After: 60", status="429 Slow"))
    assert status(client) == 429
    assert b"retry-after: 60\r\n" in client.out


@on_loop
async def test_a_403_cools_a_target_only_in_a_row(tmp_path: Path) -> None:
    """One may be about one caller's prompt and moves nobody else; three without a success between are not."""
    gate = Gate(tmp_path, snapshot(model("m", provider("up"), provider("spare"), weights=(1_000_000, 1))))
    (target,) = (route for route in gate.front.router.targets.values() if route.provider.name == "up")
    connections: dict[str, Upstream] = {}
    refused = reply(b'{"error":{"message":"no"}}', status="403 No")
    for answer in (refused, refused, reply(), refused, refused, refused):
        assert target.cooling_until == 0.0
        client = await gate.ask(chat())
        connections.update((each.provider, each) for each in gate.connector.opened)
        connections["up"].reply(answer)
        await gate.settle()
        if answer is refused:
            connections.update((each.provider, each) for each in gate.connector.opened)
            connections["spare"].reply(reply())
        assert status(client) == 200
    assert target.cooling_until > gate.clock.now


@on_loop
async def test_a_prompt_that_each_key_is_refused_costs_none(tmp_path: Path) -> None:
    """It is the prompt that the vendor will not have: other callers keep all keys, whatever one of them sends."""
    gate = Gate(tmp_path, snapshot(model("m", provider("up", api_keys=("k2", "k3")))))
    (target,) = gate.front.router.targets.values()
    for _ in range(4):
        client, upstream = await gate.asked(chat())
        for _ in range(3):
            assert not client.out
            upstream.reply(reply(b'{"error":{"message":"flagged"}}', status="403 No"))
            await gate.settle()
        assert status(client) == 403
    keyring = target.authority.ring
    assert keyring is not None
    assert len({keyring.pick(gate.clock.now) for _ in range(3)} - {None}) == 3


@on_loop
async def test_a_key_that_is_refused_what_others_are_granted_is_left_alone(tmp_path: Path) -> None:
    """Three calls in a row say that the key is at fault, not what was asked."""
    gate = Gate(tmp_path, snapshot(model("m", provider("up", api_keys=("k2",)))))
    (target,) = gate.front.router.targets.values()
    keyring = target.authority.ring
    assert keyring is not None
    asked = 0
    for _ in range(6):
        client = await gate.ask(chat())
        (upstream,) = gate.connector.opened
        while not client.out:
            asked += b"Bearer sk-of-up" in upstream.transport.out
            is_bad = b"Bearer sk-of-up" in upstream.transport.out
            upstream.transport.out = bytearray() if isinstance(upstream.transport.out, bytearray) else b""
            upstream.reply(reply(b'{"error":{"message":"no"}}', status="403 No") if is_bad else reply())
            await gate.settle()
        assert status(client) == 200
    assert asked == 3
    assert {keyring.pick(gate.clock.now).secret for _ in range(3)} == {"k2"}  # type: ignore[union-attr]


@on_loop
async def test_a_reply_of_the_other_kind_is_no_answer(tmp_path: Path) -> None:
    """A plain reply to a call for a stream, and a stream to a plain call: 502, and what it cost is on record."""
    once = Retry(attempts=1)
    gate = Gate(tmp_path / "plain", snapshot(retry=once))
    client, upstream = await gate.asked(chat(stream=True))
    upstream.reply(reply())
    assert (status(client), error(client)["code"]) == (502, "upstream_broken")
    assert b"without a stream" in client.out
    assert gate.record.attempts[0].usage is not None
    gate = Gate(tmp_path / "stream", snapshot(retry=once))
    client, upstream = await gate.asked(chat())
    upstream.reply(STREAM_HEAD + chunk(ROLE) + chunk(WORD))
    assert (status(client), error(client)["code"]) == (502, "upstream_broken")
    assert upstream.is_broken_off


@on_loop
async def test_no_attempt_begins_after_the_calls_deadline(tmp_path: Path) -> None:
    """`server.request_timeout` ends the call, not only the attempt that it meets; the message names it."""
    configuration = snapshot(
        model("m", provider("a"), provider("b"), fallbacks=("n",)),
        model("n", provider("c")),
        server=Server(request_timeout=5.0),
    )
    gate = Gate(tmp_path, configuration)
    client, upstream = await gate.asked(chat())
    await gate.tick(4)
    assert gate.live
    await gate.tick(2)
    assert (status(client), error(client)["code"]) == (504, "upstream_timeout")
    assert b"5 s a call may" in client.out
    assert upstream.is_broken_off
    assert len(gate.connector.opened) == len(gate.record.attempts) == 1


@on_loop
async def test_text_that_is_no_text_ends_a_call_like_any_other(tmp_path: Path) -> None:
    """Half of a surrogate pair in an upstream's error code: an answer, one record, and nothing left behind."""
    for before in ((), (ROLE, WORD)):
        gate = Gate(tmp_path / str(len(before)), snapshot(retry=Retry(attempts=1)), concurrency=1)
        client, upstream = await gate.asked(chat(stream=True))
        upstream.reply(STREAM_HEAD + b"".join(map(chunk, before)))
        upstream.reply(chunk(b'data: {"error":{"message":"\\udc00 no","code":"\\ud800"}}\n\n'))
        assert b'"error"' in client.out
        assert gate.record.error
        assert gate.is_at_rest()
        assert not gate.defects
        assert gate.notices == [("call_failed", gate.record.status, gate.record.error)]
        assert gate.about == ["up/m-there"]


@on_loop
async def test_an_upstreams_words_do_not_reach_the_records(tmp_path: Path) -> None:
    """A code that is a name is kept; one that could be anything, a prompt too, stays between upstream and caller."""
    for code, kept in (("context_length_exceeded", "context_length_exceeded"), ("PROMPT of yours", "bad_thing")):
        gate = Gate(tmp_path / kept)
        client, upstream = await gate.asked(chat())
        body = json.dumps({"error": {"message": "no", "type": "bad_thing", "code": code}}).encode()
        upstream.reply(reply(body, status="400 Bad"))
        assert error(client)["code"] == code
        assert gate.record.error == gate.record.attempts[0].error == kept


@on_loop
async def test_a_large_refusal_is_not_waited_for(tmp_path: Path) -> None:
    """Of an error whose body is large, or a stream, only its beginning is read: the client hears at once."""
    for head in (f"Content-Length: {5_000_000}", "Transfer-Encoding: chunked"):
        kind = "text/event-stream" if "chunked" in head else "application/json"
        gate = Gate(tmp_path / kind.replace("/", "-"))
        client, upstream = await gate.asked(chat())
        upstream.reply(f"HTTP/1.1 400 Bad\r\nContent-Type: {kind}\r\n{head}\r\n\r\n".encode())
        upstream.reply(b"30000\r\n" + b"x" * 150_000)
        assert status(client) == 400
        assert upstream.is_broken_off
        assert gate.record.status == 400


@on_loop
async def test_an_unreachable_upstream_is_left_alone_for_a_while(tmp_path: Path) -> None:
    """After three failures in a row another target is asked first, until the cool-down is over."""
    gate = Gate(tmp_path, snapshot(model("m", provider("bad"), provider("good"), weights=(1_000_000, 1))))
    gate.connector.failures["bad"] = UpstreamUnreachable("no")
    for _ in range(4):
        client = await gate.ask(chat())
        for _ in range(3):
            await gate.tick(0.1)
        gate.connector.opened[-1].reply(reply())
        assert status(client) == 200
        client.end_by_peer()
    attempts = [[each.target for each in record.attempts] for record in gate.journal.records]
    assert attempts[0] == ["bad/m-there", "bad/m-there", "good/m-there"]
    assert attempts[-1] == ["good/m-there"]


def exchanges() -> int:
    return sum(isinstance(each, Exchange) for each in gc.get_objects())


@on_loop
async def test_a_call_that_failed_is_referenced_by_nothing(tmp_path: Path) -> None:
    """Refused, broken, nonsense, cut in a stream: an ended exchange waits for no garbage collector."""
    gate = Gate(tmp_path, snapshot(retry=Retry(attempts=1)))
    broken_stream = STREAM_HEAD + chunk(ROLE) + chunk(WORD) + b"no chunk"
    gc.collect()
    before = exchanges()
    gc.disable()
    try:
        for answer in (reply(b"{}", status="400 No"), b"HTTP/9 what\r\n\r\n", reply(b"[]"), broken_stream):
            _, upstream = await gate.asked(chat())
            upstream.reply(answer)
            assert not gate.live
            assert exchanges() == before
    finally:
        gc.enable()


@pytest.mark.parametrize("body", [b"{}", b'{"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":0}}'])
@on_loop
async def test_a_reply_without_an_answer_is_none(tmp_path: Path, body: bytes) -> None:
    """A success that says nothing is broken, and its usage is noted."""
    gate = Gate(tmp_path, snapshot(retry=Retry(attempts=1)))
    client, upstream = await gate.asked(chat())
    upstream.reply(reply(body))
    await gate.settle()
    assert (status(client), gate.record.error) == (502, "upstream_broken")
    assert (gate.record.usage is not None) is (b"usage" in body)


@on_loop
async def test_an_error_in_a_200_is_told_where_a_stream_was_asked_for(tmp_path: Path) -> None:
    """In the vendor's words, as without a stream, though its end comes after its head."""
    gate = Gate(tmp_path, snapshot(model("m", provider("up")), retry=Retry(attempts=1)))
    client, upstream = await gate.asked(chat(stream=True))
    body = b'{"error":{"message":"Insufficient balance","code":"1113"}}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    upstream.reply(head + body[:20])
    await gate.settle()
    upstream.reply(body[20:])
    await gate.settle()
    assert (status(client), error(client)["code"]) == (502, "1113")
    assert "Insufficient balance" in error(client)["message"]
    assert gate.record.attempts[0].error == "1113"


@on_loop
@pytest.mark.parametrize("answer", ["401 No", "402 Pay", "403 No"])
async def test_whose_key_was_refused_is_said(tmp_path: Path, answer: str) -> None:
    """By a 401 the caller would look for the fault at its own key; who operates the gateway learns of it too."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat())
    failed = {"message": "Incorrect API key provided.", "type": "invalid_request_error", "code": "invalid_api_key"}
    upstream.reply(reply(json.dumps({"error": failed}).encode(), status=answer))
    await gate.settle()
    told = error(client)
    assert status(client) == int(answer[:3])
    assert "Incorrect API key provided." in told["message"]
    assert gate.refused == [("up", int(answer[:3]))]
    is_key = answer.startswith("401")
    assert (told["code"] == "upstream_key_refused") == is_key
    assert ("The gateway's own credential for the provider 'up'" in told["message"]) == is_key
