"""What a request asks for, whatever format it came in. Pure."""

from __future__ import annotations

from typing import Any

import msgspec


class Tool(msgspec.Struct, frozen=True):
    name: str
    schema: dict[str, Any]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """`model` as the request names it, cue and all. `asked`: the bytes that the answer depends on, which are the
    prompt that is counted. `limit`: tokens at most. `forced`: a tool must be called. `is_answered`: the conversation
    ends with what a tool returned, so that the model has no reason to call it again. `schema`: of the JSON that the
    text must be. `thinks`: the reasoning is asked for; `is_sealed`: with its signature or encrypted block;
    `omits`: without its text."""

    model: str
    asked: bytes
    stream: bool = False
    told: str | None = None
    limit: int | None = None
    tools: tuple[Tool, ...] = ()
    forced: bool = False
    is_answered: bool = False
    schema: dict[str, Any] | None = None
    thinks: bool = False
    is_sealed: bool = True
    omits: bool = False
    logprobs: bool = False
    tells_usage: bool = True
    choices: int = 1
    fields: dict[str, Any] = {}
