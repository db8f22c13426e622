"""A neutral chat as the body that Cohere takes."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from gateline.formats.cohere.names import CLIENT_NAMES
from gateline.formats.cohere.prompt import Message, Prompt
from gateline.formats.contract import Written
from gateline.formats.dialect import Dialect
from gateline.formats.features import left_inside, left_out
from gateline.model.chat import Chat, Effort, Thinking, Tool

# Models that do not reason, and answer 400 to being asked to; those that come after them do.
_THOUGHTLESS = re.compile(r"command-r|command-light|command-nightly|command-a-\d|command-a-vision|aya")
# Effort as a budget: 31,000 is what the vendor advises for the most (docs.cohere.com, "Reasoning").
_BUDGETS: dict[Effort, int] = {
    "minimal": 512, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 31_000, "max": 31_000,
}  # fmt: skip
_MOST_STOPS = 5
_LARGEST_K = 500
_NO_INPUT = Raw(b'{"type":"object","properties":{}}')
# Asked for, these ask for nothing: leaving them out changes no answer.
_IDLE: dict[str, tuple[object, ...]] = {
    "n": (1,), "top_logprobs": (0,), "modalities": (["text"],), "store": (False,), "parallel_tools": (True,),
    "service_tier": ("auto", "default"),
}  # fmt: skip

_encode = msgspec.json.Encoder().encode


class _Function(msgspec.Struct, omit_defaults=True):
    name: str
    parameters: Raw
    description: str | None = None


class _Tool(msgspec.Struct):
    function: _Function
    type: str = "function"


class _Format(msgspec.Struct, omit_defaults=True):
    type: str
    json_schema: Raw = Raw(b"")


class _Thinking(msgspec.Struct, omit_defaults=True):
    type: str
    token_budget: int | None = None


class _Asked(msgspec.Struct, omit_defaults=True):
    model: str
    messages: list[Message]
    stream: bool = False
    tools: list[_Tool] | None = None
    tool_choice: str | None = None
    response_format: _Format | None = None
    thinking: _Thinking | None = None
    max_tokens: int | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    k: int | None = None
    p: float | None = None
    logprobs: bool | None = None


def write_chat(chat: Chat, model: str, dialect: Dialect) -> Written:
    dropped: dict[str, None] = {
        name: None for name in left_out(chat, CLIENT_NAMES) if getattr(chat, name) not in _IDLE.get(name, ())
    }
    thinks = _THOUGHTLESS.search(model) is None
    prompt = Prompt(chat.turns, thinks=thinks)
    dropped |= prompt.dropped | dict.fromkeys(left_inside(chat, CLIENT_NAMES))
    asked = _Asked(model, prompt.messages, chat.stream)
    _put_tools(asked, chat)
    _put_output(asked, chat, dropped)
    _put_sampling(asked, chat, dropped)
    if chat.thinking is not None:
        asked.thinking = _thinking(chat.thinking, chat.max_tokens) if thinks else None
        if not thinks and (chat.thinking.effort, chat.thinking.budget) not in {("none", None), (None, 0)}:
            dropped["thinking"] = None
    return Written(_encode(asked), list(dropped))


def _put_tools(asked: _Asked, chat: Chat) -> None:
    choice = chat.tool_choice
    tools = chat.tools
    if choice is not None and choice.names:
        tools = [tool for tool in tools if tool.name in choice.names] or tools
    if tools:
        asked.tools = [_tool(tool) for tool in tools]
        if choice is not None and choice.mode != "auto":
            asked.tool_choice = choice.mode.upper()


def _tool(tool: Tool) -> _Tool:
    schema = tool.schema if bytes(tool.schema) not in {b"", b"null"} else _NO_INPUT
    return _Tool(_Function(tool.name, schema, tool.description or None))


def _put_output(asked: _Asked, chat: Chat, dropped: dict[str, None]) -> None:
    """JSON is not to be had together with tools (docs.cohere.com, "Structured outputs")."""
    output = chat.output
    if output is None or output.kind == "text":
        return
    if asked.tools is not None:
        dropped["output"] = None
    else:
        asked.response_format = _Format("json_object")
        if bytes(output.schema):
            asked.response_format.json_schema = output.schema


def _put_sampling(asked: _Asked, chat: Chat, dropped: dict[str, None]) -> None:
    """Within the vendor's bounds: penalties of 0 to 1, p of 0.01 to 0.99, k up to 500, five stop sequences."""
    asked.max_tokens, asked.temperature, asked.seed = chat.max_tokens, chat.temperature, chat.seed
    asked.logprobs = chat.logprobs or None
    if chat.top_p is not None:
        asked.p = min(max(chat.top_p, 0.01), 0.99)
    if chat.top_k is not None:
        asked.k = min(max(chat.top_k, 0), _LARGEST_K)
    if chat.seed is not None and chat.seed < 0:
        asked.seed = None
        dropped["seed"] = None
    for name in ("frequency_penalty", "presence_penalty"):
        value: float | None = getattr(chat, name)
        if value is not None:
            setattr(asked, name, min(max(value, 0.0), 1.0))
            if not 0 <= value <= 1:
                dropped[name] = None
    stops = [stop for stop in chat.stop if stop]
    asked.stop_sequences = stops[:_MOST_STOPS] or None
    if len(stops) > _MOST_STOPS:
        dropped["stop"] = None


def _thinking(thinking: Thinking, max_tokens: int | None) -> _Thinking | None:
    effort, budget = thinking.effort, thinking.budget
    if effort == "none" or budget == 0:
        return _Thinking("disabled")
    if effort is not None and (budget is None or budget < 0):
        budget = _BUDGETS[effort]
    if budget is None and not thinking.is_shown:
        return None
    if budget is None or budget < 0:
        return _Thinking("enabled")
    if max_tokens is not None and budget >= max_tokens:
        budget = max(max_tokens // 2, 1)
    return _Thinking("enabled", budget)
