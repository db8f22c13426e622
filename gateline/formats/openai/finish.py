"""Why an answer ended: OpenAI's words, and the words of those who follow it."""

from __future__ import annotations

from gateline.model.chat import Finish
from gateline.model.errors import UpstreamError

_READ: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool",
    "function_call": "tool",
    "content_filter": "filter",
    "refusal": "refusal",
    "max_tokens": "length",
    "model_length": "length",  # Mistral: the context is full
    "sensitive": "filter",  # Z.ai
    "tool_use": "tool",
}
# An answer that its vendor gave up: OpenRouter and Mistral, DeepSeek, Z.ai, SGLang.
_FAILED = frozenset({"error", "insufficient_system_resource", "network_error", "abort"})
_WRITTEN: dict[Finish, str] = {
    "stop": "stop",
    "length": "length",
    "tool": "tool_calls",
    "filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
}


def read_finish(reason: str | None, *, has_tools: bool, has_refusal: bool) -> Finish:
    """Raises UpstreamError for an answer that was given up. A call of a tool that had to be called ends in `stop` at
    some vendors: what it holds says more."""
    if reason in _FAILED:
        raise UpstreamError(f"the upstream gave its answer up: {reason}", code=reason)
    finish = _READ.get(reason or "stop", "stop")
    if finish == "stop":
        return "tool" if has_tools else ("refusal" if has_refusal else "stop")
    return finish


def write_finish(finish: Finish, *, has_refusal: bool) -> str:
    """A refusal in words is an answer like any other; one without words was a filter's."""
    return "stop" if finish == "refusal" and has_refusal else _WRITTEN[finish]
