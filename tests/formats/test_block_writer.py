"""Formats whose answers are blocks: what is written is read again, whichever of them it went through."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateline.formats.table import CLIENTS, SERVERS
from gateline.model.call import Operation
from gateline.model.chat import Chat
from gateline.model.chatreply import (
    Began,
    Delta,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolBegan,
    ToolDelta,
)

BLOCKS: list[Operation] = ["messages", "converse", "cohere.chat"]


def through(operation: Operation, deltas: Sequence[Delta]) -> list[Delta]:
    """What a client of the format reads of `deltas`, each written by itself."""
    writer, reader = SERVERS[operation].writer, CLIENTS[operation].reader
    assert writer is not None
    assert reader is not None
    written, read = writer(Chat(model="m", turns=[]), "req"), reader("")
    found: list[Delta] = []
    for piece in [written.write([delta]) for delta in deltas] + [written.end()]:
        found += read.feed(piece)
    assert read.done
    return found


@pytest.mark.parametrize("operation", BLOCKS)
def test_arguments_that_come_late_reach_the_tool_use_they_belong_to(operation: Operation) -> None:
    read = through(
        operation,
        [
            Began(id="a", model="m"),
            ToolBegan(index=0, id="c0", name="f"),
            ToolDelta(index=0, arguments='{"a":'),
            ToolBegan(index=1, id="c1", name="g"),
            ToolDelta(index=1, arguments="{}"),
            ToolDelta(index=0, arguments="1}"),
            Finished(finish="tool"),
        ],
    )
    arguments = {0: "", 1: ""}
    for delta in read:
        if isinstance(delta, ToolDelta):
            arguments[delta.index] += delta.arguments
    assert arguments == {0: '{"a":1}', 1: "{}"}
    assert [delta.id for delta in read if isinstance(delta, ToolBegan)] == ["c0", "c1"]


@pytest.mark.parametrize("operation", BLOCKS)
def test_paragraphs_of_one_summary_are_one_block_and_other_reasoning_is_another(operation: Operation) -> None:
    """A piece without the summary's id does not make the next paragraph another block."""
    read = through(
        operation,
        [
            ReasoningDelta(text="one", id="rs1"),
            ReasoningDelta(text=" more"),
            ReasoningDelta(text="two", id="rs1", is_new=True),
            ReasoningDelta(text="other", id="rs2", is_new=True),
        ],
    )
    blocks: list[str] = []
    for delta in read:
        if isinstance(delta, ReasoningDelta):
            if delta.is_new or not blocks:
                blocks.append("")
            blocks[-1] += delta.text
    assert blocks == ["one more\n\ntwo", "other"]


@pytest.mark.parametrize("operation", BLOCKS)
def test_a_text_a_refusal_and_another_text_are_blocks_of_their_own(operation: Operation) -> None:
    read = through(operation, [TextDelta(text="a"), TextDelta(text="b"), RefusalDelta(text="no"), TextDelta(text="c")])
    texts = [(delta.text, delta.is_new) for delta in read if isinstance(delta, TextDelta)]
    assert texts == [("a", False), ("b", False), ("no", True), ("c", True)]


@pytest.mark.parametrize("operation", BLOCKS)
def test_other_answers_than_the_first_are_left_out(operation: Operation) -> None:
    read = through(
        operation, [TextDelta(text="a"), TextDelta(text="b", choice=1), ToolBegan(index=0, id="c", name="f", choice=1)]
    )
    assert [delta.text for delta in read if isinstance(delta, TextDelta)] == ["a"]
    assert not any(isinstance(delta, ToolBegan) for delta in read)
