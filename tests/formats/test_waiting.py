"""Tool uses that wait for a result."""

from __future__ import annotations

import json

import pytest

from gateline.formats.call import read_call
from gateline.formats.table import SERVERS
from gateline.formats.waiting import Waiting
from gateline.model.call import Operation
from gateline.model.chat import Chat, ToolResult, ToolUse

_MANY = 12_000


def _waiting(*pairs: tuple[str, str]) -> Waiting:
    waiting = Waiting()
    for name, tool in pairs:
        waiting.add(ToolUse(id=name, name=tool))
    return waiting


def test_the_first_that_fits_is_taken_once() -> None:
    """By id, by the tool's name, or by order: a use that was taken one way is not taken another."""
    waiting = _waiting(("a", "f"), ("b", "g"), ("c", "f"), ("a", "h"))
    taken = [
        waiting.take_id("a"), waiting.take_name("f"), waiting.take_name("f"), waiting.take_name(""),
        waiting.take_id("b"), waiting.take_id("a"), waiting.take_name(""), waiting.take_id("d"), waiting.take_name("i"),
    ]  # fmt: skip
    assert [use and (use.id, use.name) for use in taken] == [
        ("a", "f"), ("c", "f"), None, ("b", "g"), None, ("a", "h"), None, None, None,
    ]  # fmt: skip


class _Counting(str):
    """An id that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        _Counting.compared += 1
        return str.__eq__(self, other)


def test_taking_looks_at_no_other_use() -> None:
    """The last of thousands is found without looking through those before it."""
    waiting = _waiting(*((_Counting(at), "f") for at in range(_MANY)))
    _Counting.compared = 0
    for at in reversed(range(_MANY)):
        assert waiting.take_id(str(at)) is not None
    assert _Counting.compared < 3 * _MANY


@pytest.mark.parametrize("operation", ["generate_content", "ollama.chat"])
def test_results_in_any_order_find_their_calls(operation: Operation) -> None:
    """Thousands of results, the last call's first, are told by id."""
    ids = [f"id{at}" for at in range(_MANY)]
    if operation == "generate_content":
        calls = [{"functionCall": {"name": f"f_{name}", "id": name}} for name in ids]
        results = [{"functionResponse": {"name": f"f_{name}", "id": name}} for name in reversed(ids)]
        sent: dict[str, object] = {"contents": [{"role": "model", "parts": calls}, {"role": "user", "parts": results}]}
    else:
        used = [{"id": name, "function": {"name": f"f_{name}", "arguments": {}}} for name in ids]
        told = [{"role": "tool", "content": "", "tool_call_id": name} for name in reversed(ids)]
        sent = {"model": "m", "messages": [{"role": "assistant", "content": "", "tool_calls": used}, *told]}
    body = json.dumps(sent).encode()
    ask = SERVERS[operation].read(read_call(body, operation, "m", stream=False), body)
    assert isinstance(ask, Chat)
    found = [part for part in ask.turns[-1].parts if isinstance(part, ToolResult)]
    assert [(part.id, part.name) for part in found] == [(name, f"f_{name}") for name in reversed(ids)]
