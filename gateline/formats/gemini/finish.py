"""Why an answer ended, in Gemini's words and ours (ai.google.dev/api/generate-content#FinishReason)."""

from __future__ import annotations

from gateline.model.chat import Finish

_READ: dict[str, Finish] = {
    "STOP": "stop",
    "FINISH_REASON_UNSPECIFIED": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "pause",
}
_WRITTEN: dict[Finish, str] = {
    "stop": "STOP",
    "tool": "STOP",
    "length": "MAX_TOKENS",
    "filter": "SAFETY",
    "refusal": "SAFETY",
    "pause": "OTHER",
}


def read_finish(reason: str, *, has_tools: bool) -> Finish:
    """Whatever else Gemini says (SAFETY, RECITATION, SPII, ..., but also MALFORMED_FUNCTION_CALL and OTHER) means that
    the answer was held back: Google's own OpenAI endpoint says `content_filter` and its like to all of them."""
    finish = _READ.get(reason, "filter")
    return "tool" if finish == "stop" and has_tools else finish


def write_finish(finish: Finish) -> str:
    return _WRITTEN[finish]
