"""OpenAI's Responses (platform.openai.com/docs/api-reference/responses): create, stream, and what was kept of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from gateline.fake.answer import Answer
from gateline.fake.ask import Ask
from gateline.fake.objects import CREATED, OPENAI, error
from gateline.fake.reply import Piece, Refusal, Reply, whole
from gateline.fake.request import Request
from gateline.fake.turn import Memory, Route, Setting, Turn, check_types, generation
from gateline.fake.wires.openai import AZURE, proves_azure
from gateline.fake.wires.openai_chat_read import bad
from gateline.fake.wires.responses_items import Events, output
from gateline.fake.wires.responses_read import read_response
from gateline.model.usage import Usage


def _create(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    ask = read_response(request, memory)
    check_types(ask)

    def play(setting: Setting) -> Reply:
        events = Events()
        failed: dict[str, Any] = {}

        def in_band(message: str) -> bytes:
            events.step_back()
            told = {"type": "server_error", "code": "server_error", "message": message, "param": None}
            broken = {**failed, "status": "failed", "error": {"code": "server_error", "message": message}}
            return events.write("error", error=told) + events.write("response.failed", response=broken)

        def stream(ask: Ask, answers: list[Answer], setting: Setting) -> Iterator[Piece]:
            failed.update(_response(ask, answers[0], setting, "in_progress"))
            return _stream(ask, answers[0], setting, events)

        return generation(ask, OPENAI._replace(in_band=in_band, bad_event=_BAD), _write, stream).play(setting)

    return Turn(ask.model, play, ask.stream, ask.told)


_BAD = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"unfinis\n\n'


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }


def _response(ask: Ask, answer: Answer, setting: Setting, status: str) -> dict[str, Any]:
    """The object with every field it always has; nothing of the answer in it yet."""
    asked = ask.fields
    reasoning = asked.get("reasoning") or {}
    text = asked.get("text") or {}
    return {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "completed_at": None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "max_tool_calls": asked.get("max_tool_calls"),
        "model": setting.model,
        "output": [],
        "parallel_tool_calls": asked.get("parallel_tool_calls") is not False,
        "presence_penalty": 0.0,
        "previous_response_id": asked.get("previous_response_id"),
        "prompt_cache_key": asked.get("prompt_cache_key"),
        "prompt_cache_retention": asked.get("prompt_cache_retention"),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "safety_identifier": asked.get("safety_identifier"),
        "service_tier": "default",
        "store": asked.get("store") is not False,
        "temperature": 1.0 if asked.get("temperature") is None else asked["temperature"],
        "text": {"format": {"type": "text"}, "verbosity": "medium", **text},
        "tool_choice": asked.get("tool_choice") or "auto",
        "tools": asked.get("tools") or [],
        "top_logprobs": asked.get("top_logprobs") or 0,
        "top_p": 1.0 if asked.get("top_p") is None else asked["top_p"],
        "truncation": asked.get("truncation") or "disabled",
        "usage": None,
        "user": asked.get("user"),
        "metadata": asked.get("metadata") or {},
    }


def _finished(ask: Ask, answer: Answer, setting: Setting) -> dict[str, Any]:
    """The whole response, kept for those who ask for it again."""
    is_short = answer.finish == "length"
    made = _response(ask, answer, setting, "incomplete" if is_short else "completed")
    made["output"] = output(ask, answer)
    made["usage"] = _usage(answer.usage)
    if is_short:
        made["incomplete_details"] = {"reason": "max_output_tokens"}
    else:
        made["completed_at"] = CREATED + 1
    if made["store"]:
        kept = {"response": made, "input": ask.fields["input"]}
        setting.memory.keep(made["id"], kept, len(msgspec.json.encode(kept)))
        for item in made["output"]:
            setting.memory.keep(item["id"], item, len(msgspec.json.encode(item)))
    return made


def _write(ask: Ask, answers: list[Answer], setting: Setting) -> bytes:
    return msgspec.json.encode(_finished(ask, answers[0], setting))


def _stream(ask: Ask, answer: Answer, setting: Setting, events: Events) -> Iterator[Piece]:
    begun = _response(ask, answer, setting, "in_progress")
    yield Piece(events.write("response.created", response=begun))
    yield Piece(events.write("response.in_progress", response=begun))
    yield from events.items(ask, answer, setting.chunk_tokens)
    finished = _finished(ask, answer, setting)
    yield Piece(events.write(f"response.{finished['status']}", response=finished), usage=True, done=True)


# --- what was kept ---------------------------------------------------------------------------------------------------


def _kept(request: Request, match: re.Match[str], memory: Memory) -> dict[str, Any]:
    known = match["id"]
    if known not in memory:
        body = error(f"Response with id '{known}' not found.", "invalid_request_error")
        raise Refusal(whole(404, body))
    return memory[known]


def _get(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    return _told(_kept(request, match, memory)["response"])


def _delete(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    _kept(request, match, memory)
    memory.forget(match["id"])
    return _told({"id": match["id"], "object": "response", "deleted": True})


def _cancel(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    _kept(request, match, memory)
    raise bad("Cannot cancel a synchronous response.")


def _input_items(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    """Newest first, as the vendor lists them."""
    asked = _kept(request, match, memory)["input"]
    items = []
    for at, item in enumerate(asked):
        content = item.get("content")
        parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
        made = {"id": f"item_{at}", "type": "message", **item}
        items.append({**made, "content": parts} if parts is not None else made)
    items.reverse()
    first, last = (items[0]["id"], items[-1]["id"]) if items else (None, None)
    return _told({"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": False})


def _told(body: dict[str, Any]) -> Turn:
    return Turn("", lambda setting: whole(200, msgspec.json.encode(body)))


_ID = r"/v1/responses/(?P<id>[^/]+)"
ROUTES = [
    Route("POST", re.compile(r"/v1/responses"), OPENAI, Request.has_bearer, _create),
    Route("POST", re.compile(r"/openai/(v1/)?responses"), AZURE, proves_azure, _create),
    Route("GET", re.compile(_ID), OPENAI, Request.has_bearer, _get),
    Route("DELETE", re.compile(_ID), OPENAI, Request.has_bearer, _delete),
    Route("POST", re.compile(_ID + "/cancel"), OPENAI, Request.has_bearer, _cancel),
    Route("GET", re.compile(_ID + "/input_items"), OPENAI, Request.has_bearer, _input_items),
]
