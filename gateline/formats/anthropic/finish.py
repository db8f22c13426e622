"""Why an answer ended, in Anthropic's words and in ours."""

from __future__ import annotations

from gateline.model.chat import Finish

_READ: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool",
    "pause_turn": "pause",
    "refusal": "refusal",
}
_WRITTEN: dict[Finish, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool": "tool_use",
    "pause": "pause_turn",
    "refusal": "refusal",
    "filter": "refusal",
}


def read_finish(reason: str | None) -> Finish:
    """A word that is not known says no more than that the answer ended."""
    return "stop" if reason is None else _READ.get(reason, "stop")


def write_finish(finish: Finish, stopped_by: str) -> str:
    return "stop_sequence" if stopped_by and finish == "stop" else _WRITTEN[finish]
