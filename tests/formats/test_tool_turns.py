from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.table import CLIENTS
from gateline.formats.tool_turns import gathered, told_apart
from gateline.model.call import Operation
from gateline.model.chat import Chat, Media, Role, Text, ToolResult, ToolUse, Turn
from gateline.providers.table import TABLE
from tests.formats.asked import CHATS


def use(name: str) -> ToolUse:
    return ToolUse(id=name, name="f", arguments="{}")


def result(name: str, *parts: Text | Media) -> ToolResult:
    return ToolResult(id=name, parts=list(parts) or [Text(text=name)])


def turn(role: Role, *parts: Any) -> Turn:
    return Turn(role=role, parts=[Text(text=part) if isinstance(part, str) else part for part in parts])


def test_results_stand_directly_behind_their_uses() -> None:
    """Whatever was said between the results of one answer's uses comes after all of them, in its order."""
    turns = [
        turn("system", "s"),
        turn("user", "x"),
        turn("assistant", use("a"), use("b"), use("c")),
        turn("user", result("a"), "one"),
        turn("system", "two"),
        turn("user", result("b")),
        turn("user", "three", result("c")),
        turn("assistant", "done"),
    ]
    assert gathered(turns) == [
        *turns[:3],
        turn("user", result("a"), result("b"), result("c")),
        turn("user", "one"),
        turn("system", "two"),
        turn("user", "three"),
        turns[-1],
    ]


def test_what_is_in_order_stays() -> None:
    """Results in one turn, turns without any, and results that answer nothing are left as they are."""
    orphans = [turn("user", "x"), turn("user", result("z"))]
    fine = [turn("user", "x"), turn("assistant", use("a")), turn("user", result("a"), "y"), turn("user", "z")]
    for turns in (orphans, fine):
        assert gathered(turns) is turns
        assert told_apart(turns) is turns


def test_ids_that_come_again_are_told_apart() -> None:
    """Each use has an id of its own, also within one answer, and each result that of the use it answers."""
    turns = [
        turn("assistant", use("a")),
        turn("user", result("a")),
        turn("assistant", use("a"), use("a_2")),
        turn("user", result("a_2"), result("a")),
        turn("assistant", use("a"), use("a")),
        turn("user", result("a"), result("a"), result("z")),
    ]
    found = [[part.id for part in each.parts if isinstance(part, ToolUse | ToolResult)] for each in told_apart(turns)]
    assert found == [["a"], ["a"], ["a_3", "a_2"], ["a_2", "a_3"], ["a_4", "a_5"], ["a_4", "a_5", "z"]]
    assert turns[2].parts == [use("a"), use("a_2")]


def test_an_answer_in_two_turns_is_one() -> None:
    """Uses in turns that follow each other keep their results."""
    turns = [
        turn("assistant", use("a")),
        turn("user", result("a")),
        turn("assistant", use("a")),
        turn("assistant", use("b")),
        turn("user", result("a"), result("b")),
    ]
    assert told_apart(turns)[-1] == turn("user", ToolResult(id="a_2", parts=[Text(text="a")]), result("b"))


answers = st.lists(st.sampled_from("ab").map(use), max_size=3).map(lambda parts: turn("assistant", *parts))


@given(st.lists(answers, max_size=4))
def test_every_use_is_answered_once(found: list[Turn]) -> None:
    """However ids come again, uses and results have the same, each once."""
    turns: list[Turn] = []
    for answer in found:
        turns += [answer, turn("user", *(result(part.id) for part in answer.parts if isinstance(part, ToolUse)), "x")]
    parts = [part for each in told_apart(turns) for part in each.parts]
    uses = [part.id for part in parts if isinstance(part, ToolUse)]
    assert sorted(set(uses)) == sorted(uses)
    assert sorted(uses) == sorted(part.id for part in parts if isinstance(part, ToolResult))


@pytest.mark.parametrize(("operation", "vendor", "model"), CHATS)
def test_every_vendor_gets_them_so(operation: Operation, vendor: str, model: str) -> None:
    """A picture among results in two turns, and an id used twice: results follow their uses in every format, and no id
    comes again."""
    picture = Media(kind="image", mime="image/png", data="iVBORw0KGgo=")
    chat = Chat(
        model="m",
        turns=[
            turn("user", "x"),
            turn("assistant", use("a"), use("b")),
            turn("user", result("a", picture)),
            turn("user", result("b")),
            turn("assistant", use("a")),
            turn("user", result("a")),
        ],
    )
    written = CLIENTS[operation].write(chat, model, TABLE[vendor].dialect)
    found = json.loads(written.body)
    order = [text for text in _names(found) if text.startswith(("use:", "result:"))]
    assert order[:4] == ["use:a", "use:b", "result:a", "result:b"]
    assert order[4:] == ["use:a_2", "result:a_2"]
    messages = found.get("messages") or found.get("input") or found.get("contents")
    if operation == "chat.completions":
        assert [each["role"] for each in messages][1:5] == ["assistant", "tool", "tool", "user"]


_USES = {"tool_use", "function", "function_call"}


def _names(body: Any) -> list[str]:
    """The ids of uses and results, in order, wherever a format has them."""
    found: list[str] = []
    if isinstance(body, list):
        return [name for each in body for name in _names(each)]
    if not isinstance(body, dict):
        return found
    if "tool_use_id" in body or "tool_call_id" in body or "toolUseId" in body or "call_id" in body:
        name = body.get("tool_use_id") or body.get("tool_call_id") or body.get("toolUseId") or body.get("call_id")
        is_use = "input" in body or body.get("type") == "function_call"
        found.append(f"{'use' if is_use else 'result'}:{name}")
    elif body.get("type") in _USES and "id" in body:
        found.append(f"use:{body['id']}")
    elif "args" in body or ("response" in body and "id" in body):
        found.append(f"{'use' if 'args' in body else 'result'}:{body['id']}")
    elif "function" in body and "id" in body:
        found.append(f"use:{body['id']}")
    return found + [name for value in body.values() for name in _names(value)]
