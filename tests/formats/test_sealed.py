"""What a vendor sealed in another's format comes back to it byte for byte, and to nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateline.formats.call import read_call, write_body
from gateline.formats.contract import Watch
from gateline.formats.dialect import PLAIN, Dialect
from gateline.formats.foreign import foreign_hint, holds_foreign
from gateline.formats.marked import codec_of, marked, marker_of
from gateline.formats.sealed import reader_of
from gateline.formats.table import CLIENTS, FOR_VENDOR, SERVERS, WATCHES
from gateline.formats.translation import Translation, translate_reply
from gateline.model.call import Call, Operation
from gateline.model.chat import Chat, Choice, Reasoning, Seal, Text
from gateline.model.chatreply import ChatReply
from gateline.wire.sse import EventSplitter, event_data
from tests.formats.anthropic.stream import assemble
from tests.formats.asked import read
from tests.formats.openai.chats import assembled
from tests.formats.responses.shapes import deltas_of

_SEAL = "c2VhbGVkIGJ5IG9uZSB2ZW5kb3I="
_OURS, _OTHERS = Dialect(maker="azure", account="0a1b"), Dialect(maker="deepseek")
_SEALED = "reasoning.encrypted_content"
_ASKED: dict[str, dict[str, Any]] = {
    "messages": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]},
    "responses": {
        "model": "m",
        "input": [{"role": "user", "content": "a"}],
        "include": ["reasoning.encrypted_content"],
    },
    "chat.completions": {"model": "m", "messages": [{"role": "user", "content": "a"}]},
}
_NATIVE = {"messages": "anthropic", "responses": "openai"}
_SPOKEN: list[Any] = list(_NATIVE)


def _asked(operation: Operation) -> Chat:
    ask = read(operation, _ASKED[operation])
    assert isinstance(ask, Chat)
    return ask


def _reply(operation: Operation) -> bytes:
    """A vendor's, with a seal as the format's own maker writes it."""
    thought = Reasoning(text="t", seal=Seal(_NATIVE[operation], _SEAL), id="rs_1")
    reply = ChatReply(id="r1", model="m", choices=[Choice(parts=[thought, Text(text="x")], finish="stop")], created=1)
    return SERVERS[operation].write_reply(reply, _asked(operation))


def _stream(operation: Operation) -> bytes:
    server, client = SERVERS[operation], CLIENTS[operation]
    assert server.writer is not None
    writer = server.writer(_asked(operation), "req_1")
    reply = client.read_reply(_reply(operation), "")
    return writer.write(deltas_of(reply, 3)) + writer.end()


def _next(operation: Operation, answer: dict[str, Any]) -> dict[str, Any]:
    """The call that goes on from an answer, as a client keeps it."""
    first = _ASKED[operation]
    if operation == "responses":
        return {**first, "input": [*first["input"], *answer["output"]]}
    chosen = operation == "chat.completions"
    turn = answer["choices"][0]["message"] if chosen else {"role": "assistant", "content": answer["content"]}
    return {**first, "messages": [*first["messages"], turn]}


def _sent(client: Operation, spoken: Operation, call: dict[str, Any], dialect: Dialect) -> str:
    """What the vendor gets of it."""
    if client != spoken:
        model = "claude-sonnet-4-5" if spoken == "messages" else "gpt-5"
        return CLIENTS[spoken].write(read(client, call), model, dialect).body.decode()
    body = json.dumps(call).encode()
    passed = read_call(body, client)
    if holds_foreign(client, body, dialect):
        assert foreign_hint(client) in body
        passed, _ = FOR_VENDOR[client](passed, "claude-sonnet-4-5", dialect)
    return write_body(passed, None, ask_usage=None).decode()


def _check(client: Operation, spoken: Operation, answer: dict[str, Any]) -> None:
    call = _next(client, answer)
    assert f'"{_SEAL}"' in _sent(client, spoken, call, _OURS)
    for stranger in (_OTHERS, PLAIN, Dialect(maker="azure"), Dialect(maker="azure", account="ffff")):
        sent = _sent(client, spoken, call, stranger)
        assert _SEAL not in sent
        assert "gateline." not in sent


@pytest.mark.parametrize("spoken", _SPOKEN)
@pytest.mark.parametrize("client", list(_ASKED))
def test_a_whole_answers_seal(client: Operation, spoken: Operation) -> None:
    """Translated or passed."""
    if client == spoken:
        marker = marker_of(WATCHES[spoken], _OURS)
        assert marker is not None
        shown = marked(_reply(spoken), marker)
    else:
        ask = _asked(client)
        shown, _ = translate_reply(CLIENTS[spoken], SERVERS[client], _reply(spoken), ask, 1, "", _OURS.sealer)
    _check(client, spoken, json.loads(shown))


@pytest.mark.parametrize("spoken", _SPOKEN)
@pytest.mark.parametrize("client", list(_ASKED))
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_streams_seal(client: Operation, spoken: Operation, size: int) -> None:
    """However its bytes are cut; what the client puts together is what a whole answer would have been."""
    stream, ask = _stream(spoken), _asked(client)
    if client == spoken:
        codec: Any = codec_of(WATCHES[spoken], Call(operation=client, model="m", stream=True, fields={}), "", _OURS)
    else:
        server = SERVERS[client]
        assert server.writer is not None
        codec = Translation(reader_of(CLIENTS[spoken], "", _OURS.sealer), server.writer(ask, "req_1"))
    shown = b"".join(codec.feed(stream[at : at + size]) for at in range(0, len(stream), size))
    codec.end()
    assert codec.done, codec.error
    reader = CLIENTS[client].reader
    assert reader is not None
    whole = _assembled(client, shown + codec.last)
    _check(client, spoken, whole)


def _assembled(client: Operation, stream: bytes) -> dict[str, Any]:
    if client == "messages":
        return assemble(stream)
    if client == "chat.completions":
        return assembled(stream)
    last = event_data(EventSplitter().feed(stream)[-1])
    assert last is not None
    answer: dict[str, Any] = json.loads(last)["response"]
    return answer


def test_a_vendors_own_format_is_left_as_it_came() -> None:
    """Nobody else's marks are needed there, and nothing is looked at."""
    assert all(marker_of(watch, PLAIN) is None for watch in WATCHES.values() if isinstance(watch, Watch))


def test_a_signature_in_pieces_is_marked_once() -> None:
    pieces = [{"type": "signature_delta", "signature": part} for part in ("abc", "def")]
    begun = {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "signature": ""}}
    events = [begun, *({"type": "content_block_delta", "index": 0, "delta": piece} for piece in pieces), begun]
    marker = marker_of(WATCHES["messages"], _OTHERS)
    assert marker is not None
    shown = b"".join(marked(b"data: %b\n\n" % json.dumps(event).encode(), marker) for event in events)
    assert shown.count(b"gateline.deepseek.") == 1
    assert b'"gateline.deepseek.abc"' in shown
    assert b'"def"' in shown
