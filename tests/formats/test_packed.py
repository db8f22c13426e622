from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from gateline.formats.contract import Ask
from gateline.formats.packed import pack, unpack
from gateline.formats.table import SERVERS
from gateline.model.call import KINDS, Operation
from gateline.model.chat import Chat, Media, Output, Text, Thinking, Tool, ToolChoice, Turn
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
        (Count(chat=CHAT), Count(chat=Chat(model="m", turns=[], unmapped=["x"])), "messages.count_tokens"),
        (Embed(model="m", inputs=["x"]), Embed(model="m", inputs=[]), "embeddings"),
        (Rerank(model="m", query="q", documents=["d"]), Rerank(model="m", query="", documents=[]), "rerank"),
    ],
)
def test_what_an_answer_is_written_from_crosses_between_processes(ask: Ask, left: Ask, operation: Operation) -> None:
    """Everything but the conversation itself comes out as it went in."""
    packed = pack(ask)
    assert b"xxx" not in packed
    assert unpack(memoryview(packed), operation) == left


FULL_CHAT = Chat(
    model="m",
    turns=[Turn(role="user", parts=[Text(text="a")])],
    stream=True,
    include_usage=True,
    tools=[Tool(name="f", description="d", schema=Raw(b'{"a": [1, "\\u00e9"]}'), strict=False, cache="5m")],
    tool_choice=ToolChoice(mode="auto", names=["f", "g"]),
    parallel_tools=False,
    output=Output(kind="schema", name="n", description="d", schema=Raw(b"{}"), strict=True),
    thinking=Thinking(effort="low", budget=-1, is_shown=True, summary="auto"),
    max_tokens=1,
    temperature=0.0,
    top_p=1.0,
    top_k=2,
    frequency_penalty=-1.5,
    presence_penalty=2.0,
    seed=2**63 - 1,
    stop=["\n", "é"],
    n=2,
    logprobs=True,
    top_logprobs=5,
    logit_bias={"50256": -100.0},
    modalities=["text", "audio"],
    voice=Raw(b'{"voice":"x"}'),
    verbosity="low",
    metadata={"k": "v"},
    user="u",
    service_tier="flex",
    cache_key="c",
    store=False,
    echo={"instructions": "i"},
    unmapped=["x.y"],
)
FULL: dict[str, Ask] = {
    "chat": FULL_CHAT,
    "embeddings": Embed(
        model="m", inputs=["x", [1], Media(kind="image", data="AA==")], dimensions=3, encoding="base64",
        purpose="retrieval_query", title="t", truncate=True, user="u", is_batch=False, unmapped=["x"],
    ),
    "rerank": Rerank(model="m", query="q", documents=["d"], top=1, return_documents=True, unmapped=["x"]),
    "count": Count(chat=FULL_CHAT),
}  # fmt: skip


@pytest.mark.parametrize("operation", [name for name, kind in KINDS.items() if kind in FULL])
def test_every_field_crosses(operation: Operation) -> None:
    """Of every operation that can be translated, with every field said."""
    ask = FULL[KINDS[operation]]
    for field in msgspec.structs.fields(ask):
        assert getattr(ask, field.name) != field.default, f"{field.name} is to be said here"
    left = unpack(pack(ask), operation)
    if isinstance(ask, Count):
        assert left == Count(chat=Chat(model="m", turns=[], unmapped=["x.y"]))
        return
    said = {"turns", "inputs"}
    for field in msgspec.structs.fields(ask):
        value = getattr(left, field.name)
        assert value == ([] if field.name in said else getattr(ask, field.name)), field.name


def test_every_operation_that_can_be_translated_can_cross() -> None:
    assert {KINDS[operation] for operation in SERVERS} == set(FULL)
