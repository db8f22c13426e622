"""What a client's library shows of an answer, in words that all libraries have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Finish = Literal["stop", "length", "tools", "refusal"]
# input, output, cached, reasoning; None: the format has no place for it
Counts = tuple[int | None, int | None, int | None, int | None]


@dataclass(slots=True)
class Shown:
    """`words` are the text or the words of a refusal. `reply` is the answer as the library's own object or dict, to be
    sent back in the next turn."""

    words: str
    calls: list[tuple[str, dict[str, Any]]]
    finish: Finish
    usage: Counts
    thought: str = ""
    ids: list[str] = field(default_factory=list)
    reply: Any = None


class Failed(Exception):
    """The library raised, or said in its own way that the answer is none. `status` None: in a stream."""

    def __init__(self, status: int | None, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


def arguments(text: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """A tool's arguments as its caller would read them; blank and null, which vendors send too, are none."""
    found = json.loads(text) if isinstance(text, str) and text else text
    return dict(found or {})
