"""Any chat in what Cohere has comes back as it was."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateline.formats.tool_turns import told_apart
from gateline.model.chat import Chat, Media, Reasoning, Text, Tool, ToolResult, ToolUse, Turn
from tests.formats.cohere.wire import MODEL, read, write

names = st.text("abc_-9", min_size=1, max_size=8)
texts = st.builds(Text, text=st.text(min_size=1))
images = st.builds(Media, kind=st.just("image"), mime=st.sampled_from(["image/png", "image/gif"]), data=st.just("AA=="))
arguments = st.dictionaries(names, st.text(), min_size=1).map(
    lambda found: json.dumps(found, separators=(",", ":"), ensure_ascii=False)
)
uses = st.builds(ToolUse, id=names, name=names, arguments=arguments)
results = st.builds(ToolResult, id=names, parts=st.lists(texts, min_size=1))
thoughts = st.builds(Reasoning, text=st.text(min_size=1))
schemas = st.just(Raw(b'{"type":"object"}'))


def _turns(found: list[tuple[Any, Any, Any]]) -> list[Turn]:
    """A result is a turn of its own, and what is said ahead of a tool's use is one text."""
    turns: list[Turn] = []
    for told, asked, said in found:
        turns += [Turn(role="user", parts=[each]) for each in told]
        turns += [Turn(role="user", parts=asked), Turn(role="assistant", parts=said)]
    return [*turns, Turn(role="user", parts=[Text(text="and?")])]


said_parts = st.tuples(st.lists(thoughts, max_size=2), st.lists(texts, max_size=1), st.lists(uses, max_size=2)).filter(
    any
)


@given(
    st.lists(
        st.tuples(
            st.lists(results, max_size=2),
            st.lists(texts | images, min_size=1),
            said_parts.map(lambda three: [*three[0], *three[1], *three[2]]),
        ),
        max_size=3,
    ).map(_turns),
    st.lists(st.builds(Tool, name=names, description=st.text(), schema=schemas), max_size=3),
)
def test_a_chat_comes_back(turns: list[Any], tools: list[Tool]) -> None:
    """Nothing of it is dropped, and writing changes nothing of it."""
    chat = Chat(model="m", turns=told_apart(turns), tools=tools, include_usage=True)
    before = copy.deepcopy(chat.turns)
    body, dropped = write(chat, MODEL)
    assert chat.turns == before
    assert (dropped, read(body)) == ([], chat)
