"""Why an answer ended, in Cohere's words and in ours."""

from __future__ import annotations

from gateline.model.chat import Finish
from gateline.model.errors import UpstreamError, UpstreamTimeout

_READ: dict[str, Finish] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "ERROR_LIMIT": "length",
    "TOOL_CALL": "tool",
    "ERROR_TOXIC": "filter",
}
# There are no words for a refusal, a filter and a pause: what the model said stands in the answer.
_WRITTEN: dict[Finish, str] = {
    "stop": "COMPLETE",
    "length": "MAX_TOKENS",
    "tool": "TOOL_CALL",
    "pause": "COMPLETE",
    "refusal": "COMPLETE",
    "filter": "ERROR_TOXIC",
}


def read_finish(reason: str) -> Finish:
    """A word that is not known says no more than that the answer ended. Raises UpstreamError where the vendor says that
    the answer is none."""
    if reason == "ERROR":
        raise UpstreamError("Cohere reported that its model failed.", code="ERROR")
    if reason == "TIMEOUT":
        raise UpstreamTimeout("Cohere reported that its model took too long.", code="TIMEOUT")
    return _READ.get(reason, "stop")


def write_finish(finish: Finish, stopped_by: str) -> str:
    return "STOP_SEQUENCE" if stopped_by and finish == "stop" else _WRITTEN[finish]
