"""Names of tools that no vendor takes: fitted on the way there, the client's own on the way back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateline.formats.contract import Reader
from gateline.formats.packed import pack, unpack
from gateline.formats.table import CLIENTS, SERVERS
from gateline.formats.tool_names import GEMINI, USUAL, fitted, given_names
from gateline.formats.translation import Translation, translate_reply
from gateline.model.call import Operation
from gateline.model.chat import Chat, Choice, Part, Text, Tool, ToolChoice, ToolResult, ToolUse, Turn
from gateline.model.chatreply import Began, ChatReply, Counted, Delta, Finished, ToolBegan, ToolDelta
from gateline.model.errors import UpstreamError
from gateline.model.usage import Usage
from gateline.model.vectors import Count
from gateline.providers.table import TABLE
from tests.formats.asked import CHATS

LONG, ODD, FINE = "mcp__" + "x" * 90, "fs.read:file", "get_weather"
NAMES = [LONG, ODD, FINE]
ASK = Chat(
    model="m",
    turns=[
        Turn(role="user", parts=[Text(text="x")]),
        Turn(role="assistant", parts=[ToolUse(id="a", name=LONG, arguments="{}")]),
        Turn(role="user", parts=[ToolResult(id="a", name=LONG, parts=[Text(text="y")])]),
    ],
    tools=[Tool(name=name, schema=Raw(b'{"type":"object"}')) for name in NAMES],
    tool_choice=ToolChoice(mode="required", names=[LONG]),
)


@given(st.lists(st.text(min_size=1), unique=True), st.sampled_from([USUAL, GEMINI]))
def test_names_fit_and_stay_apart(names: list[str], fits: re.Pattern[str]) -> None:
    """Whatever tools are called, what a vendor is told fits, is another for each, and says which was meant."""
    short = fitted(names, fits)
    sent = [short.get(name, name) for name in names]
    assert all(fits.fullmatch(name) for name in sent)
    assert len(set(sent)) == len(names)
    ask = Chat(model="m", turns=[], tools=[Tool(name=name) for name in names])
    given = given_names(ask, fits)
    assert [given.get(name, name) for name in sent] == names


def test_a_name_that_another_tool_has_is_not_given() -> None:
    """A tool that is called what another would be keeps its name, and the other gets a third."""
    taken = fitted([LONG], USUAL)[LONG]
    short = fitted([LONG, taken], USUAL)
    assert taken not in short
    assert short[LONG] != taken


def test_a_name_is_the_same_in_every_call() -> None:
    """Fitted from itself alone, so that earlier answers fit later calls, whatever tools they have."""
    assert fitted([LONG], USUAL) == {LONG: fitted([FINE, ODD, LONG], USUAL)[LONG]}
    assert fitted([LONG], USUAL)[LONG] == "mcp__" + "x" * 37 + "_" + fitted([LONG], USUAL)[LONG][-20:]


@pytest.mark.parametrize(("operation", "vendor", "model"), CHATS)
def test_no_vendor_is_told_a_name_that_it_refuses(operation: Operation, vendor: str, model: str) -> None:
    """Neither among tools, as choice, nor in uses and results; the call itself keeps the client's names."""
    body = CLIENTS[operation].write(ASK, model, TABLE[vendor].dialect).body.decode()
    short = fitted(NAMES, CLIENTS[operation].tool_names or re.compile(".*"))
    assert all(name not in body for name in short)
    assert body.count(f'"{short.get(LONG, LONG)}"') >= 2
    assert [tool.name for tool in ASK.tools] == NAMES


def test_a_count_is_of_the_call_that_would_be_sent() -> None:
    """Calls to count tokens are fitted as the call itself is."""
    for operation in ("messages.count_tokens", "gemini.count_tokens"):
        assert LONG not in CLIENTS[operation].write(Count(chat=ASK), "m", TABLE["anthropic"].dialect).body.decode()


def _whole(name: str) -> ChatReply:
    parts: list[Part] = [ToolUse(id="t", name=name, arguments="{}")]
    return ChatReply(id="r", model="m", choices=[Choice(parts=parts, finish="tool")], usage=Usage(1, 1))


def _deltas(name: str) -> list[Delta]:
    return [
        Began(id="r", model="m"),
        ToolBegan(index=0, id="t", name=name),
        ToolDelta(index=0, arguments="{}"),
        Finished(finish="tool"),
        Counted(usage=Usage(1, 1)),
    ]


class _Told(Reader):
    """A vendor's stream of which all has come."""

    done = False
    error: UpstreamError | None = None

    def __init__(self, deltas: list[Delta]) -> None:
        self._deltas = deltas

    def feed(self, data: bytes) -> list[Delta]:
        self.done = True
        return self._deltas

    def end(self) -> list[Delta] | None:
        return None


@pytest.mark.parametrize("client", [operation for operation, _, _ in CHATS])
@pytest.mark.parametrize(("operation", "vendor", "model"), CHATS[:5])
def test_clients_see_their_own_names(client: Operation, operation: Operation, vendor: str, model: str) -> None:
    """Whole and streamed, from every vendor's format to every client's; also where another process writes the answer,
    which knows the call without its turns."""
    fits = CLIENTS[operation].tool_names
    assert fits is not None
    short = fitted([LONG], fits)[LONG]
    body = SERVERS[operation].write_reply(_whole(short), Chat(model="m", turns=[]))
    for ask in (ASK, unpack(pack(ASK), client)):
        seen, _ = translate_reply(CLIENTS[operation], SERVERS[client], body, ask, 1, "")
        assert LONG in seen.decode()
        assert short not in seen.decode()
    writer = SERVERS[client].writer
    assert writer is not None
    ask = Chat(model="m", turns=[], tools=ASK.tools, stream=True)
    codec = Translation(_Told(_deltas(short)), writer(ask, "id"), 1, given_names(ask, fits))
    events = codec.feed(b"x") + codec.last
    assert LONG.encode() in events
    assert short.encode() not in events
    assert codec.done


def test_a_call_without_odd_names_restores_nothing() -> None:
    """There is nothing to look up where all names fit, and where a vendor takes any."""
    plain = Chat(model="m", turns=[], tools=[Tool(name=FINE)])
    assert given_names(plain, USUAL) == {}
    assert given_names(ASK, None) == {}
