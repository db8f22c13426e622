"""Tokens that a vendor refuses before their end: another is asked for, and the call that met it goes on with that."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gateline.model.credential import Aws, Credential, Ibm, credential_id
from gateline.model.feed import Granted, Rejected
from gateline.model.snapshot import Provider, Retry, Snapshot
from gateline.model.token import AwsKeys, Bearer, Token, token_id
from tests.gateway.rig import DONE, LAST, STREAM_HEAD, WORD, Gate, Upstream, chat, chunk, error, model, reply, status
from tests.gateway.rig import snapshot as configured
from tests.net.transport import on_loop

IBM = Ibm("canary-key")
ROLE = Aws("us-east-1", role_arn="arn")
END = time.time() + 3600
REFUSED = reply(b'{"error":{"message":"token revoked"}}', status="401 No")


def snapshot(credential: Credential = IBM, kind: str = "watsonx") -> Snapshot:
    vendor = Provider("up", kind, "http", "127.0.0.1", 9000, "", credential=credential)
    return configured(model("m", vendor), retry=Retry(attempts=1))


class Stage(Gate):
    def bring(self, token: Token | None, credential: Credential = IBM, reason: str = "") -> None:
        self.tokens.granted(Granted(credential_id(credential), token, reason))


def carried(upstream: Upstream, number: int = -1) -> bytes:
    """The token of the last request, or another one's, on this connection."""
    return upstream.transport.out.split(b"Authorization: Bearer ")[number].partition(b"\r\n")[0]


@on_loop
async def test_a_refused_token_is_replaced_and_its_call_made_again(tmp_path: Path) -> None:
    """Once, with the next token, whatever the retries: the client sees nothing of it, the record does."""
    gate = Stage(tmp_path, snapshot())
    gate.bring(Bearer("one", END))
    client, upstream = await gate.asked(chat())
    upstream.reply(REFUSED)
    await gate.settle()
    assert gate.rejected == [Rejected(credential_id(IBM), token_id(Bearer("one", END)))]
    assert not client.out
    gate.bring(Bearer("two", END))
    await gate.tick(0.1)
    assert carried(upstream) == b"two"
    upstream.reply(reply())
    await gate.settle()
    assert status(client) == 200
    assert [attempt.status for attempt in gate.record.attempts] == [401, 200]
    (target,) = gate.front.router.targets.values()
    assert target.cooling_until <= gate.clock.now


@on_loop
async def test_a_stream_that_was_refused_begins_again(tmp_path: Path) -> None:
    """Nothing of it has been sent."""
    gate = Stage(tmp_path, snapshot())
    gate.bring(Bearer("one", END))
    client, upstream = await gate.asked(chat(stream=True))
    upstream.reply(REFUSED)
    gate.bring(Bearer("two", END))
    await gate.tick(0.1)
    upstream.reply(STREAM_HEAD + chunk(WORD + DONE) + LAST)
    await gate.settle()
    assert (status(client), carried(upstream)) == (200, b"two")


@on_loop
async def test_a_new_token_that_is_refused_too_is_the_vendors_word(tmp_path: Path) -> None:
    """Told to the client; and no further token is asked for at once, by this call or the next."""
    gate = Stage(tmp_path, snapshot())
    gate.bring(Bearer("one", END))
    client, upstream = await gate.asked(chat())
    upstream.reply(REFUSED)
    gate.bring(Bearer("two", END))
    await gate.tick(0.1)
    upstream.reply(REFUSED)
    await gate.settle()
    assert status(client) == 401
    assert "token revoked" in error(client)["message"]
    again = await gate.ask(chat())
    upstream.reply(REFUSED)
    await gate.settle()
    assert status(again) == 401
    assert len(gate.rejected) == 1
    await gate.tick(31)
    _, upstream = await gate.asked(chat())
    upstream.reply(REFUSED)
    await gate.settle()
    assert len(gate.rejected) == 2


@on_loop
async def test_calls_that_were_refused_together_ask_once(tmp_path: Path) -> None:
    """One that hears of it when the new token is already there takes that, and asks for none."""
    gate = Stage(tmp_path, snapshot())
    gate.bring(Bearer("one", END))
    clients = [await gate.ask(chat()) for _ in range(3)]
    first, second, late = gate.connector.opened
    first.reply(REFUSED)
    second.reply(REFUSED)
    await gate.settle()
    gate.bring(Bearer("two", END))
    await gate.tick(0.1)
    late.reply(REFUSED)
    await gate.settle()
    for upstream in (first, second, late):
        assert carried(upstream) == b"two"
        upstream.reply(reply())
    await gate.settle()
    assert [status(client) for client in clients] == [200, 200, 200]
    assert len(gate.rejected) == 1


@on_loop
@pytest.mark.parametrize("answer", [Bearer("one", END), None])
async def test_without_another_token_the_client_has_the_vendors_word(tmp_path: Path, answer: Bearer | None) -> None:
    """As soon as the control process has said that there is none: the same one again, or a reason."""
    gate = Stage(tmp_path, snapshot())
    gate.bring(Bearer("one", END))
    client, upstream = await gate.asked(chat())
    upstream.reply(REFUSED)
    gate.bring(answer, reason="" if answer else "iam answered 400")
    await gate.tick(0.1)
    assert status(client) == (401 if answer else 503)
    assert ("token revoked" if answer else "iam answered 400") in error(client)["message"]


@on_loop
async def test_a_control_process_that_is_away_is_not_waited_for_long(tmp_path: Path) -> None:
    """Five seconds, and the next calls not at all."""
    gate = Stage(tmp_path, snapshot())
    gate.bring(Bearer("one", END))
    client, upstream = await gate.asked(chat())
    upstream.reply(REFUSED)
    await gate.tick(4.9)
    assert not client.out
    await gate.tick(0.2)
    assert (status(client), carried(upstream)) == (401, b"one")
    again = await gate.ask(chat())
    upstream.reply(REFUSED)
    await gate.settle()
    assert status(again) == 401


@on_loop
async def test_a_client_that_leaves_is_not_waited_for(tmp_path: Path) -> None:
    gate = Stage(tmp_path, snapshot())
    gate.bring(Bearer("one", END))
    client, upstream = await gate.asked(chat())
    upstream.reply(REFUSED)
    client.end()
    await gate.tick(0.1)
    assert gate.record.client_gone


@on_loop
async def test_what_is_no_refusal_of_the_token_asks_for_none(tmp_path: Path) -> None:
    """A 403 is about what may be done, a 429 about how much."""
    gate = Stage(tmp_path, snapshot())
    gate.bring(Bearer("one", END))
    for words in ("403 No", "429 Later"):
        client, upstream = await gate.asked(chat())
        upstream.reply(reply(b"{}", status=words))
        await gate.settle()
        assert status(client) == int(words[:3])
    assert gate.rejected == []


@on_loop
@pytest.mark.parametrize(("code", "asks"), [("ExpiredTokenException", True), ("AccessDeniedException", False)])
async def test_aws_names_expired_keys_in_a_403(tmp_path: Path, code: str, asks: bool) -> None:
    """The new ones sign what is sent again."""
    gate = Stage(tmp_path, snapshot(ROLE, "bedrock"))
    gate.bring(AwsKeys("ASIAONE", "s", "session", END), ROLE)
    _, upstream = await gate.asked(chat(messages=[{"role": "user", "content": "Hi"}]))
    upstream.reply(reply(b'{"message":"no"}', f"x-amzn-errortype: {code}:http://x/", status="403 No"))
    gate.bring(AwsKeys("ASIATWO", "s", "session", END), ROLE)
    await gate.tick(0.1)
    assert bool(gate.rejected) is asks
    assert (b"Credential=ASIATWO/" in upstream.transport.out) is asks
