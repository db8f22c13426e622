"""Any chat in what Converse has comes back as it was."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.tool_turns import told_apart
from gateline.model.chat import Chat, Media, Reasoning, Seal, Text, Thinking, Tool, ToolResult, ToolUse, Turn
from tests.formats.bedrock.wire import NOVA, read, write

words = st.text(min_size=1).filter(lambda text: bool(text.strip()))
names = st.text("abc_-9", min_size=1, max_size=8)
lives = st.sampled_from(["", "5m", "1h"])
texts = st.builds(Text, text=words)
images = st.builds(Media, kind=st.just("image"), mime=st.sampled_from(["image/png", "image/gif"]), data=st.just("AA=="))
thoughts = st.builds(
    Reasoning, text=st.text(), seal=st.builds(Seal, st.just("anthropic"), st.text("aZ09+/=", min_size=1))
)
arguments = st.dictionaries(names, st.text()).map(
    lambda found: json.dumps(found, separators=(",", ":"), ensure_ascii=False)
)
uses = st.builds(ToolUse, id=names, name=names, arguments=arguments)
results = st.builds(ToolResult, id=names, parts=st.lists(texts | images, min_size=1), is_error=st.booleans())


def _turns(found: list[tuple[Any, Any]]) -> list[Turn]:
    turns: list[Turn] = []
    for asked, said in found:
        turns += [Turn(role="user", parts=asked), Turn(role="assistant", parts=said)]
    return [*turns, Turn(role="user", parts=[Text(text="and?")])]


asked_parts = st.tuples(st.lists(results, max_size=2), st.lists(texts | images, min_size=1)).map(
    lambda pair: [*pair[0], *pair[1]]
)
said_parts = st.tuples(st.lists(thoughts, max_size=2), st.lists(texts, max_size=2), st.lists(uses, min_size=1)).map(
    lambda three: [*three[0], *three[1], *three[2]]
)


turns_of_any: st.SearchStrategy[list[Any]] = st.lists(st.tuples(asked_parts, said_parts), max_size=3).map(_turns)


@given(
    turns_of_any,
    st.lists(st.builds(Tool, name=names, description=st.text()), min_size=1, max_size=3),
    st.integers(1, 64_000),
    lives,
)
def test_a_chat_comes_back(turns: list[Any], tools: list[Tool], bound: int, life: Any) -> None:
    """Written for Claude and read as a server; nothing of it is dropped, and writing changes nothing of it."""
    chat = Chat(model="m", turns=told_apart(turns), tools=tools, max_tokens=bound, include_usage=True)
    chat.turns[-1] = Turn(role="user", parts=[Text(text="and?", cache=life)])
    before = copy.deepcopy([chat.turns, chat.max_tokens])
    body, dropped = write(chat)
    assert [chat.turns, chat.max_tokens] == before
    again = read(body)
    for tool in again.tools:
        tool.schema = tools[0].schema  # one is required there, and an open one stands for none
    assert (dropped, again) == ([], chat)


@given(
    st.lists(st.tuples(asked_parts, said_parts), max_size=3).map(_turns), st.builds(Thinking, budget=st.integers(-1))
)
def test_whatever_is_asked_fits(turns: list[Any], thinking: Thinking) -> None:
    """Of any model: the service's own model finds nothing wrong with it."""
    for model in (NOVA, "openai.gpt-oss-120b-1:0", "global.anthropic.claude-opus-4-7", "x"):
        write(Chat(model="m", turns=copy.deepcopy(turns), thinking=thinking), model)
