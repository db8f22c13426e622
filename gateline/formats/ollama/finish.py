"""Why an answer ended, in Ollama's words (`done_reason`)."""

from __future__ import annotations

from gateline.model.chat import Finish


def read_finish(reason: str | None, *, has_tools: bool) -> Finish:
    """Ollama says `stop` of an answer that calls tools too. `load` and `unload` end answers without a word."""
    if reason == "length":
        return "length"
    return "tool" if has_tools else "stop"


def write_finish(finish: Finish) -> str:
    """It knows no others: a refusal is an answer like any other, and what a filter cut off just ends."""
    return "length" if finish == "length" else "stop"
