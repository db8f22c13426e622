"""Tool calls that are held until they are whole."""

from __future__ import annotations

from gateline.formats.held_call import HeldCall
from gateline.model.chatreply import ToolBegan


def test_arguments_come_together_in_order() -> None:
    call = HeldCall(ToolBegan(index=0, id="c", name="f"))
    for piece in ('{"a"', ":", "1}"):
        call.add(piece)
    assert call.arguments() == '{"a":1}'


def test_arguments_without_end_are_held_up_to_a_bound() -> None:
    call = HeldCall(ToolBegan(index=0, id="c", name="f"))
    for _ in range(100):
        call.add("x" * 100_000)
    assert len(call.arguments()) <= 4 * 1024 * 1024 + 100_000
