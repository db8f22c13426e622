"""Calls that pass to a vendor of their own format, after answers by vendors of others."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest

from gateline.formats.call import read_call, write_body
from gateline.formats.dialect import PLAIN, Dialect
from gateline.formats.foreign import foreign_hint, holds_foreign
from gateline.formats.table import FOR_VENDOR, SERVERS
from gateline.model.call import Operation
from gateline.model.chat import Chat, Choice, Maker, Part, Reasoning, Seal, Text, ToolUse
from gateline.model.chatreply import ChatReply
from tests.formats.asked import CHATS, read

_MODELS = {operation: model for operation, _, model in CHATS}
_FIRST: dict[str, dict[str, Any]] = {
    "chat.completions": {"messages": [{"role": "user", "content": "a"}]},
    "messages": {"max_tokens": 9, "messages": [{"role": "user", "content": "a"}]},
    "generate_content": {"contents": [{"role": "user", "parts": [{"text": "a"}]}]},
    "converse": {"messages": [{"role": "user", "content": [{"text": "a"}]}]},
    "cohere.chat": {"messages": [{"role": "user", "content": "a"}]},
    "ollama.chat": {"messages": [{"role": "user", "content": "a"}], "stream": False},
}
_SEAL = base64.b64encode(b"not for others").decode()
_OWN: dict[str, Maker] = {"messages": "anthropic", "converse": "anthropic", "generate_content": "gemini"}


def _seal(maker: Maker) -> Seal:
    return Seal(maker, base64.b64encode(f"only for {maker}".encode()).decode())


_ANSWER: list[Part] = [
    Reasoning(text="unsigned"),
    Reasoning(text="signed", seal=_seal("anthropic")),
    Reasoning(seal=_seal("openai"), is_hidden=True, id="rs_1"),
    Text(text="said", seal=_seal("gemini")),
    ToolUse(id="c1", name="f", arguments='{"a":1}', seal=_seal("gemini")),
]


def _passed(
    operation: Operation, fields: dict[str, Any], model: str = "", dialect: Dialect = PLAIN
) -> tuple[dict[str, Any], list[str]]:
    """What is sent of a call that passes, and what it is said to have lost."""
    body = json.dumps(fields).encode()
    call = read_call(body, operation, "m", stream=False)
    lost: list[str] = []
    if holds_foreign(operation, body, dialect):
        assert foreign_hint(operation) in body, "what is searched for first stands in every such body"
        call, lost = FOR_VENDOR[operation](call, model or _MODELS[operation], dialect)
    return json.loads(write_body(call, None, ask_usage=None)), lost


def _answered(operation: Operation, parts: list[Part]) -> dict[str, Any]:
    """A call of `operation` that goes on from an answer of other vendors', as a client keeps it."""
    first = {"model": "m", **_FIRST[operation]}
    ask = read(operation, first)
    assert isinstance(ask, Chat)
    reply = ChatReply(id="r", model="m", choices=[Choice(parts=parts, finish="tool")])
    answer = json.loads(SERVERS[operation].write_reply(reply, ask))
    name = "contents" if operation == "generate_content" else "messages"
    if operation == "chat.completions":
        turn = answer["choices"][0]["message"]
    elif operation == "messages":
        turn = {"role": "assistant", "content": answer["content"]}
    elif operation == "generate_content":
        turn = answer["candidates"][0]["content"]
    else:
        turn = answer["output"]["message"] if operation == "converse" else answer["message"]
    return {**first, name: [*first[name], turn]}


def _opened(value: Any) -> str:
    """Every string in it, and what it says where it is base64."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return f"{value}\n{base64.b64decode(value, validate=True).decode()}"
        return value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return "\n".join(map(_opened, inner))


@pytest.mark.parametrize("operation", list(_FIRST))
def test_no_seal_of_another_maker_is_passed_on(operation: Operation) -> None:
    """Wherever the format keeps them, marks included; what was said and called stays, and so does the call around."""
    call = {**_answered(operation, _ANSWER), "made_up": {"kept": [1.0, 2]}}
    sent, lost = _passed(operation, call)
    own = _OWN.get(operation)
    foreign = [_seal(maker).data for maker in ("anthropic", "gemini", "openai") if maker != own]
    assert any(word in _opened(call) for word in foreign)
    assert not any(word in _opened(sent) for word in ("gateline.", *foreign))
    assert sent["made_up"] == {"kept": [1.0, 2]}
    chat = read(operation, {"model": "m", **sent})
    assert isinstance(chat, Chat)
    parts = chat.turns[-1].parts
    assert [part.text for part in parts if isinstance(part, Text)] == ["said"]
    assert [part.name for part in parts if isinstance(part, ToolUse)] == ["f"]
    assert {part.seal.maker for part in parts if isinstance(part, Text | Reasoning | ToolUse) and part.seal} <= {own}
    assert lost or operation == "ollama.chat"


@pytest.mark.parametrize("operation", ["messages", "converse", "generate_content"])
def test_a_makers_own_seals_stay_byte_for_byte(operation: Operation) -> None:
    """Beside those of others', and in the same answer."""
    own = Seal("gemini" if operation == "generate_content" else "anthropic", _SEAL)
    other = Seal("openai", base64.b64encode(b"else").decode())
    call = _answered(operation, [Reasoning(text="own", seal=own), Reasoning(text="other", seal=other), Text(text="x")])
    sent, _ = _passed(operation, call)
    chat = read(operation, {"model": "m", **sent})
    assert isinstance(chat, Chat)
    assert chat.turns[-1].parts == [Reasoning(text="own", seal=own), Text(text="x")]


@pytest.mark.parametrize("signature", [{"signature": ""}, {"signature": None}, {}])
def test_an_unsigned_thought_is_no_claudes(signature: dict[str, Any]) -> None:
    """It is left out where Claude gets the call; a model that signs nothing gets back what it thought."""
    thought = {"type": "thinking", "thinking": "t", **signature}
    said = {"type": "text", "text": "x"}
    call = {**_FIRST["messages"], "messages": [{"role": "assistant", "content": [thought, said]}]}
    assert _passed("messages", call)[0]["messages"] == [{"role": "assistant", "content": [said]}]
    assert _passed("messages", call, "qwen3")[0] == call


def test_an_answer_of_nothing_else_is_left_out() -> None:
    """A message without content is refused."""
    thought = {"type": "redacted_thinking", "data": "gateline.openai.x"}
    asked = {"role": "user", "content": "a"}
    call = {"max_tokens": 9, "messages": [asked, {"role": "assistant", "content": [thought]}]}
    assert _passed("messages", call)[0]["messages"] == [asked]


@pytest.mark.parametrize("operation", ["messages", "converse"])
def test_a_turn_that_lost_its_thoughts_goes_without_thinking(operation: Operation) -> None:
    """By a budget, with a tool whose call was not thought of, Claude refuses it; and says what was left out."""
    call = _answered(operation, [Reasoning(text="t", seal=Seal("gemini", _SEAL)), ToolUse(id="c1", name="f")])
    thinking = {"type": "enabled", "budget_tokens": 1024}
    if operation == "messages":
        result: dict[str, Any] = {"type": "tool_result", "tool_use_id": "c1", "content": "r"}
        call["thinking"] = thinking
    else:
        result = {"toolResult": {"toolUseId": "c1", "content": [{"text": "r"}]}}
        call["additionalModelRequestFields"] = {"thinking": thinking, "top_k": 3}
    inside = {**call, "messages": [*call["messages"], {"role": "user", "content": [result]}]}
    sent, lost = _passed(operation, inside)
    assert "enabled" not in json.dumps(sent)
    assert any(name.endswith("thinking") for name in lost)
    said: Any = {"type": "text", "text": "b"} if operation == "messages" else {"text": "b"}
    behind = {**inside, "messages": [*inside["messages"], {"role": "user", "content": [said]}]}
    assert "enabled" in json.dumps(_passed(operation, behind)[0])


@pytest.mark.parametrize(("model", "sign"), [("gemini-3-pro-preview", True), ("gemini-2.5-pro", False)])
def test_gemini_3_is_told_which_call_is_not_its_own(model: str, sign: bool) -> None:
    """It refuses a call without a signature; the first of the answer has the one that says so."""
    uses: list[Part] = [ToolUse(id="c1", name="f"), ToolUse(id="c2", name="f")]
    call = _answered("generate_content", [Reasoning(text="t", seal=Seal("anthropic", _SEAL)), *uses])
    parts = _passed("generate_content", call, model)[0]["contents"][-1]["parts"]
    signed = [part.get("thoughtSignature") for part in parts]
    assert signed == ["skip_thought_signature_validator" if sign else None, None]


def test_reasoning_goes_to_vendors_that_take_it() -> None:
    """Details to OpenRouter, words to who wants them back, neither to the others; a vendor's own words stay."""
    call = _answered("chat.completions", [Reasoning(text="t", seal=Seal("anthropic", _SEAL)), Text(text="x")])
    own = {"role": "assistant", "content": "y", "reasoning_content": "own"}
    call["messages"].append(own)
    for dialect, kept in (
        (PLAIN, set()),
        (Dialect(replays_reasoning=True), {"reasoning_content"}),
        (Dialect(seals="reasoning_details"), {"reasoning_content", "reasoning_details"}),
    ):
        sent, _ = _passed("chat.completions", call, dialect=dialect)
        assert {name for name in sent["messages"][1] if name.startswith("reasoning")} == kept
        assert sent["messages"][2] == own


@pytest.mark.parametrize("operation", list(_FIRST))
@pytest.mark.parametrize("content", [7, "gateline.openai.x", [7, "x", None], [{"type": 3}], {"a": 1}, [[]]])
def test_odd_contents_pass_as_they_came(operation: Operation, content: Any) -> None:
    """What is no content is the vendor's to refuse."""
    name, inner = ("contents", "parts") if operation == "generate_content" else ("messages", "content")
    for odd in ([{"role": "assistant", inner: content}], content):
        body = json.dumps({"model": "m", name: odd}).encode()
        call, lost = FOR_VENDOR[operation](read_call(body, operation, "m", stream=False), "claude", PLAIN)
        assert json.loads(write_body(call, "m", ask_usage=None)) == json.loads(body)
        assert not lost


def test_paths_name_models_of_these() -> None:
    """Every format in which others' seals are looked for has somebody who takes them out."""
    for operation in FOR_VENDOR:
        body = b'"reasoning_details" "encrypted_content" "gateline.openai. "gateline.[ Z2F0ZWxpbmUu'
        assert holds_foreign(operation, body, PLAIN), operation
    assert not any(holds_foreign(operation, body, PLAIN) for operation in SERVERS if operation not in FOR_VENDOR)
