"""Tool uses in the order that writers rely on, whatever order a vendor's stream has."""

from __future__ import annotations

import pytest

from gateline.formats import tool_order
from gateline.formats.tool_order import ToolOrder
from gateline.model.chatreply import Began, Counted, Delta, Finished, TextDelta, ToolBegan, ToolDelta
from gateline.model.errors import UpstreamBroken
from gateline.model.usage import Usage

BEGAN = [ToolBegan(index=at, id=f"c{at}", name="f") for at in range(3)]
END = Finished(finish="tool")


def piece(index: int, arguments: str) -> ToolDelta:
    return ToolDelta(index=index, arguments=arguments)


def test_what_is_in_order_passes_at_once() -> None:
    """Text behind a tool use that is whole, another tool, and the end: none waits."""
    order = ToolOrder()
    deltas: list[Delta] = [
        TextDelta(text="a"), BEGAN[0], piece(0, '{"a"'), piece(0, ":1}"), TextDelta(text="b"), BEGAN[1], piece(1, "{}"),
        BEGAN[2], piece(2, '{"}'), piece(2, '\\'), piece(2, '"}":[{}]}'), TextDelta(text="c"), END,
    ]  # fmt: skip
    for delta in deltas:
        assert order.told([delta]) == [delta]


def test_text_waits_for_the_arguments_it_came_ahead_of() -> None:
    """Usage does not, nor what is of another choice."""
    order = ToolOrder()
    text, other, counted = TextDelta(text="\n"), TextDelta(text="b", choice=1), Counted(usage=Usage(1))
    assert order.told([Began(id="a", model="m"), BEGAN[0], text, other, counted]) == [
        Began(id="a", model="m"), BEGAN[0], other, counted,
    ]  # fmt: skip
    assert order.told([piece(0, '{"a":')]) == [piece(0, '{"a":')]
    assert order.told([piece(0, "1}")]) == [piece(0, "1}"), text]


def test_calls_whose_arguments_alternate_are_told_one_after_the_other() -> None:
    """Each with its own, text between them in its place."""
    order = ToolOrder()
    text = TextDelta(text="x")
    told = order.told([BEGAN[0], BEGAN[1], text, BEGAN[2], piece(2, "{}"), piece(0, "{"), piece(1, '{"a"')])
    assert told == [BEGAN[0], piece(0, "{")]
    assert order.told([piece(0, "}")]) == [piece(0, "}"), BEGAN[1], piece(1, '{"a"')]
    assert order.told([piece(1, ":2}")]) == [piece(1, ":2}"), text, BEGAN[2], piece(2, "{}")]


def test_the_end_of_an_answer_tells_all_of_it() -> None:
    """A tool use that was cut, and one that has no arguments, hold nothing back for ever."""
    order = ToolOrder()
    text = TextDelta(text="x")
    assert order.told([BEGAN[0], text, BEGAN[1], piece(1, '{"a'), END]) == [
        BEGAN[0], text, BEGAN[1], piece(1, '{"a'), END,
    ]  # fmt: skip


def test_arguments_of_a_call_that_is_over_are_an_error() -> None:
    """Nobody could be told of them; blanks are none."""
    order = ToolOrder()
    order.told([BEGAN[0], piece(0, "{}"), TextDelta(text="x")])
    assert order.told([piece(0, " \n"), piece(0, "")]) == []
    with pytest.raises(UpstreamBroken, match="that was whole"):
        order.told([piece(0, "{}")])


@pytest.mark.parametrize("late", [TextDelta(text="x"), TextDelta(text="x" * 100_000), piece(1, ""), piece(1, "x" * 99)])
def test_what_waits_is_bounded(late: Delta) -> None:
    """Many small deltas count as few large ones do; what has been told counts no more."""
    order = ToolOrder()
    for _ in range(10):
        order.told([BEGAN[0], TextDelta(text="x" * (tool_order._MOST_WAITING // 2)), piece(0, "{}"), BEGAN[1]])
        order.told([piece(1, "{}")])
    order.told([BEGAN[0], BEGAN[1]])
    with pytest.raises(UpstreamBroken, match="too much"):
        order.told([late] * (tool_order._MOST_WAITING // 128))
