"""What the fake remembers of what it made is bounded; what a request asks for is of the right types."""

from __future__ import annotations

from typing import Any

import pytest

from gateline.fake.ask import Ask, Tool
from gateline.fake.turn import Memory, check_types


def test_the_oldest_objects_go_first() -> None:
    """By their number, and by their bytes; one too large is not kept, and leaves room for the next."""
    memory = Memory(objects=2, size=100)
    for number in range(3):
        memory.keep(str(number), {"n": number}, 10)
    assert [str(number) in memory for number in range(3)] == [False, True, True]
    memory.keep("3", {"n": 3}, 95)
    assert ("2" in memory, memory["3"]) == (False, {"n": 3})
    memory.keep("4", {}, 101)
    assert "4" not in memory
    memory.keep("5", {}, 100)
    assert "5" in memory


def test_what_is_forgotten_makes_room() -> None:
    """A repeated id counts once; forgetting and clearing free what they took."""
    memory = Memory(objects=9, size=100)
    memory.keep("a", {}, 60)
    memory.keep("a", {}, 60)
    memory.keep("b", {}, 40)
    assert "a" in memory
    memory.forget("a")
    memory.forget("unknown")
    memory.keep("c", {}, 60)
    assert "b" in memory
    memory.clear()
    memory.keep("d", {}, 100)
    assert "d" in memory
    with pytest.raises(KeyError):
        memory["b"]


@pytest.mark.parametrize(
    "change",
    [{"limit": "5"}, {"limit": True}, {"choices": 1.5}, {"schema": []}, {"tools": (Tool("a", None),)}],  # type: ignore[arg-type]
)
def test_an_ask_of_wrong_types_is_refused(change: dict[str, Any]) -> None:
    """Structs take what they are given, so this is asked before an answer is made of it."""
    check_types(Ask(model="m", asked=b""))
    with pytest.raises(TypeError):
        check_types(Ask(model="m", asked=b"", **change))
