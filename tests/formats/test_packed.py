from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from gateline.formats.contract import Ask
from gateline.formats.packed import pack, unpack
from gateline.model.call import Operation
from gateline.model.chat import Chat, Output, Text, Tool, ToolChoice, Turn
from gateline.model.vectors import Count, Embed, Rerank

TOOL = Tool(name="f", schema=Raw(b'{"type": "object"}'), strict=True)
CHAT = Chat(
    model="m",
    turns=[Turn(role="user", parts=[Text(text="x" * 1_000)])],
    tools=[TOOL],
    tool_choice=ToolChoice(mode="required", names=["f"]),
    output=Output(kind="schema", schema=Raw(b'{"a": 1}')),
    temperature=0.5,
    voice=Raw(b'{"format":"wav"}'),
    unmapped=["x"],
)


@pytest.mark.parametrize(
    ("ask", "left", "operation"),
    [
        (CHAT, msgspec.structs.replace(CHAT, turns=[]), "messages"),
        (Chat(model="m", turns=[]), Chat(model="m", turns=[]), "responses"),
        (Count(chat=CHAT), Count(chat=Chat(model="m", turns=[])), "messages.count_tokens"),
        (Embed(model="m", inputs=["x"]), Embed(model="m", inputs=[]), "embeddings"),
        (Rerank(model="m", query="q", documents=["d"]), Rerank(model="m", query="", documents=[]), "rerank"),
    ],
)
def test_what_an_answer_is_written_from_crosses_between_processes(ask: Ask, left: Ask, operation: Operation) -> None:
    """Everything but the conversation itself comes out as it went in."""
    packed = pack(ask)
    assert b"xxx" not in packed
    assert unpack(memoryview(packed), operation) == left
