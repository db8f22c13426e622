"""Anthropic's Messages (docs.claude.com/en/api/messages), and the same behind Vertex's paths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import msgspec

from gateline.fake.answer import Answer, Quote, ToolCall, text_tokens
from gateline.fake.ask import Ask
from gateline.fake.reply import Piece, Refusal, Reply, Voice, whole
from gateline.fake.request import Request, same
from gateline.fake.seal import make_seal
from gateline.fake.turn import Memory, Route, Setting, Turn, generation, groups
from gateline.fake.wires.anthropic_read import Rules
from gateline.model.usage import Usage

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_FINISH = {"stop": "end_turn", "length": "max_tokens", "tools": "tool_use", "refusal": "refusal"}
_REFUSED = {"type": "refusal", "category": "cyber", "explanation": "The fake provider was told to refuse."}


def _error(
    status: int, message: str, code: str | None = None, param: str | None = None
) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    kind = _KINDS.get(status, "invalid_request_error" if status < 500 else "api_error")
    error = {"type": kind, "message": message if code != "bad_cue" else f"bad_cue: {message}"}
    body = {"type": "error", "error": error, "request_id": "req_gatelinefake"}
    return msgspec.json.encode(body), ()


def _in_band(message: str) -> bytes:
    return _event({"type": "error", "error": {"type": "overloaded_error", "message": message}})


VOICE = Voice(
    error=_error,
    in_band=_in_band,
    bad_event=b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"tex\n\n',
    unknown=lambda model: (404, f"model: {model}", None),
    denied=(401, "invalid x-api-key", None),
    id_header="request-id",
)
_RULES = Rules(VOICE)


def proves(request: Request, key: str) -> bool:
    """Clients sent `x-api-key` for years; those for the API's version of 2026-10-21 send a bearer token."""
    return same(request.header("x-api-key") or request.bearer(), key)


def _messages(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    _check_version(request)
    return generation(_RULES.read(request), VOICE, _write, _stream)


def _vertex(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    """Vertex: the model is in the path, `anthropic_version` in the body; the path's verb says whether to stream."""
    model, verb = unquote(match["model"]), match["verb"]
    ask = _RULES.read(request, model=model, stream=verb == "streamRawPredict")
    if not str(ask.fields.get("anthropic_version", "")).startswith("vertex-"):
        raise Refusal(VOICE.refuse(400, "anthropic_version: Field required"))
    return generation(ask, VOICE, _write, _stream)


def _count(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    _check_version(request)
    try:
        fields = request.json()
    except ValueError as error:
        raise Refusal(VOICE.refuse(400, f"The request body is not valid JSON: {error}")) from error
    if "max_tokens" in fields:
        raise Refusal(VOICE.refuse(400, "max_tokens: Extra inputs are not permitted"))
    counted = msgspec.json.encode({**fields, "max_tokens": 1_000_000})
    ask = _RULES.read(request._replace(body=counted))
    body = msgspec.json.encode({"input_tokens": text_tokens(request.raw("messages"))})
    return Turn(ask.model, lambda setting: whole(200, body)._replace(voice=VOICE))


def _check_version(request: Request) -> None:
    if not request.header("anthropic-version"):
        raise Refusal(VOICE.refuse(400, "anthropic-version: header is required"))


def models_page(path: str, names: list[str]) -> Reply | None:
    def page(name: str) -> dict[str, str]:
        return {"type": "model", "id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z"}

    if path == "/v1/models":
        listed = [page(name) for name in names]
        body = {"data": listed, "has_more": False, "first_id": names[0], "last_id": names[-1]}
        return whole(200, msgspec.json.encode(body))._replace(voice=VOICE)
    if not path.startswith("/v1/models/"):
        return None
    return whole(200, msgspec.json.encode(page(path.removeprefix("/v1/models/"))))._replace(voice=VOICE)


# --- writing ---------------------------------------------------------------------------------------------------------


def _usage(usage: Usage) -> dict[str, Any]:
    """Input tokens are those that neither came from the cache nor went to it."""
    return {
        "input_tokens": usage.input - usage.cached - usage.cache_write,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": usage.output,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
        "service_tier": "standard",
    }


def _message(answer: Answer, model: str) -> dict[str, Any]:
    message: dict[str, Any] = {
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(msgspec.structs.replace(answer.usage, output=1, reasoning=0)),
    }
    return message


def _write(ask: Ask, answers: list[Answer], setting: Setting) -> bytes:
    answer = answers[0]
    blocks: list[dict[str, Any]] = []
    if answer.thought is not None:
        blocks.append(_thought(ask, answer))
    if answer.words and answer.finish != "refusal":
        text: dict[str, Any] = {"type": "text", "text": answer.text}
        if answer.quotes:
            text["citations"] = [_citation(quote) for quote in answer.quotes]
        blocks.append(text)
    blocks += [_call(call, call.arguments) for call in answer.calls]
    message = {**_message(answer, setting.model), "content": blocks, "stop_reason": _FINISH[answer.finish]}
    message["stop_details"] = _REFUSED if answer.finish == "refusal" else None
    return msgspec.json.encode({**message, "usage": _usage(answer.usage)})


def _stream(ask: Ask, answers: list[Answer], setting: Setting) -> Iterator[Piece]:
    answer = answers[0]
    yield Piece(_event({"type": "message_start", "message": _message(answer, setting.model)}))
    yield Piece(_event({"type": "ping"}))
    for index, (start, deltas) in enumerate(_blocks(ask, answer, setting.chunk_tokens)):
        yield Piece(_event({"type": "content_block_start", "index": index, "content_block": start}))
        for delta, tokens in deltas:
            yield Piece(_event({"type": "content_block_delta", "index": index, "delta": delta}), tokens)
        yield Piece(_event({"type": "content_block_stop", "index": index}))
    ending: dict[str, Any] = {"stop_reason": _FINISH[answer.finish], "stop_sequence": None}
    if answer.finish == "refusal":
        ending["stop_details"] = _REFUSED
    usage = _usage(answer.usage)
    del usage["cache_creation"], usage["service_tier"]
    yield Piece(_event({"type": "message_delta", "delta": ending, "usage": usage}), usage=True)
    yield Piece(_event({"type": "message_stop"}), done=True)


Deltas = list[tuple[dict[str, Any], int]]


def _blocks(ask: Ask, answer: Answer, chunk_tokens: int) -> Iterator[tuple[dict[str, Any], Deltas]]:
    """Each content block as it starts, and what it then grows by, with the tokens in it."""
    if answer.thought == []:
        yield _thought(ask, answer), []
    elif answer.thought is not None:
        told = _thought(ask, answer)
        deltas: Deltas = [
            ({"type": "thinking_delta", "thinking": text}, 0)
            for text in groups(answer.thought, chunk_tokens)
            if told["thinking"]
        ]
        yield (
            {"type": "thinking", "thinking": "", "signature": ""},
            [
                *deltas,
                ({"type": "signature_delta", "signature": told["signature"]}, 0),
            ],
        )
    if answer.words and answer.finish != "refusal":
        texts: Deltas = [
            ({"type": "text_delta", "text": "".join(words)}, len(words))
            for at in range(0, len(answer.words), chunk_tokens)
            if (words := answer.words[at : at + chunk_tokens])
        ]
        quotes: Deltas = [({"type": "citations_delta", "citation": _citation(quote)}, 0) for quote in answer.quotes]
        yield {"type": "text", "text": "", **({"citations": []} if quotes else {})}, [*texts, *quotes]
    for call in answer.calls:
        grown: Deltas = [({"type": "input_json_delta", "partial_json": piece}, 0) for piece in call.pieces or [""]]
        if not call.inline and call.pieces:
            grown.insert(0, ({"type": "input_json_delta", "partial_json": ""}, 0))
        yield _call(call, {}), grown


def _thought(ask: Ask, answer: Answer) -> dict[str, Any]:
    """A thinking block; one that is kept hidden comes redacted."""
    if not answer.thought:
        return {"type": "redacted_thinking", "data": make_seal("anthropic", answer.id, "")}
    text = "" if ask.omits else "".join(answer.thought)
    return {"type": "thinking", "thinking": text, "signature": make_seal("anthropic", answer.id, text)}


def _call(call: ToolCall, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": arguments}


def _citation(quote: Quote) -> dict[str, Any]:
    return {
        "type": "web_search_result_location",
        "cited_text": quote.text,
        "url": quote.url,
        "title": quote.title,
        "encrypted_index": make_seal("anthropic", quote.url, quote.text),
    }


def _event(value: dict[str, Any]) -> bytes:
    kind: str = value["type"]
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n"


_VERTEX = r"/v1/projects/[^/]+/locations/[^/]+/publishers/anthropic/models/(?P<model>[^/]+):"
ROUTES = [
    Route("POST", re.compile(r"(/anthropic)?/v1/messages"), VOICE, proves, _messages),
    Route("POST", re.compile(r"(/anthropic)?/v1/messages/count_tokens"), VOICE, proves, _count),
    Route("POST", re.compile(_VERTEX + r"(?P<verb>rawPredict|streamRawPredict)"), VOICE, Request.has_bearer, _vertex),
]
