"""Why an answer ended, in Converse's words and in ours."""

from __future__ import annotations

from gateline.model.chat import Finish

_READ: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool",
    "guardrail_intervened": "filter",
    "content_filtered": "filter",
    "refusal": "refusal",
    "pause_turn": "pause",
}
# There are no words for a refusal and for a pause.
_WRITTEN: dict[Finish, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool": "tool_use",
    "pause": "end_turn",
    "refusal": "content_filtered",
    "filter": "content_filtered",
}


def read_finish(reason: str) -> Finish:
    """A word that is not known says no more than that the answer ended."""
    return _READ.get(reason, "stop")


def write_finish(finish: Finish, stopped_by: str) -> str:
    return "stop_sequence" if stopped_by and finish == "stop" else _WRITTEN[finish]
