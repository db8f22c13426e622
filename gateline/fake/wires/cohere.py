"""Cohere's v2 API (docs.cohere.com/reference): chat, embed, rerank; and rerank in Jina's shape (jina.ai/reranker)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from gateline.fake.answer import MAX_DIMENSIONS, Answer, Quote, ToolCall, embed, pack_vector, text_tokens
from gateline.fake.ask import Ask, Tool
from gateline.fake.reply import Piece, Refusal, Reply, Voice, whole
from gateline.fake.request import Request
from gateline.fake.turn import Memory, Route, Setting, Turn, generation
from gateline.fake.wires.names import names
from gateline.model.usage import Usage

_FINISH = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tools": "TOOL_CALL", "refusal": "COMPLETE"}
_KNOWN = names(
    """model messages stream tools strict_tools documents citation_options response_format safety_mode max_tokens
    stop_sequences temperature seed frequency_penalty presence_penalty k p logprobs tool_choice thinking priority
    raw_prompting"""
)
_UNTOLD = ("cache_write", "reasoning")
_ID = "00000000-0000-4000-8000-"
_DIMENSIONS = 1536


def _error(
    status: int, message: str, code: str | None = None, param: str | None = None
) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    return msgspec.json.encode({"id": f"{_ID}000000000000", "message": message}), ()


def _unknown(model: str) -> tuple[int, str, None]:
    told = "make sure the correct model ID was used and that you have access to the model."
    return 404, f"model '{model}' not found, {told}", None


VOICE = Voice(
    error=_error,
    in_band=lambda message: _event("message-end", delta={"finish_reason": "ERROR", "error": message}),
    bad_event=b'event: content-delta\ndata: {"type":"content-delta","index":0,"delta":{"message":{"content":{"te\n\n',
    unknown=_unknown,
    denied=(401, "invalid api token", None),
)


def _bad(message: str) -> Refusal:
    return Refusal(VOICE.refuse(400, message))


def _fields(request: Request) -> dict[str, Any]:
    try:
        fields = request.json()
    except ValueError as error:
        raise _bad(f"invalid json syntax: {error}") from error
    if not isinstance(fields.get("model"), str):
        raise _bad("invalid request: model is required")
    return fields


def _chat(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    fields = _fields(request)
    unknown = sorted(set(fields) - _KNOWN)
    if unknown:
        raise Refusal(VOICE.refuse(422, f"unknown field: parameter '{unknown[0]}' is not a valid field"))
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _bad("invalid request: messages must not be empty")
    _check_messages(messages)
    choice = fields.get("tool_choice")
    if choice not in {None, "REQUIRED", "NONE"}:
        raise _bad("invalid request: tool_choice must be one of REQUIRED, NONE")
    tools = tuple(Tool(tool["function"]["name"], tool["function"].get("parameters") or {}) for tool in _tools(fields))
    wanted = fields.get("response_format") or {}
    loose = {"type": "object", "properties": {"answer": {"type": "string"}}}
    ask = Ask(
        model=fields["model"],
        asked=request.raw("messages"),
        stream=bool(fields.get("stream")),
        limit=fields.get("max_tokens"),
        tools=() if choice == "NONE" else tools,
        forced=choice == "REQUIRED",
        is_answered=messages[-1].get("role") == "tool",
        schema=(wanted.get("json_schema") or loose) if wanted.get("type") == "json_object" else None,
        thinks=(fields.get("thinking") or {}).get("type") == "enabled",
        logprobs=bool(fields.get("logprobs")),
    )
    return generation(ask, VOICE, _write, _stream, untold=_UNTOLD)


def _tools(fields: dict[str, Any]) -> list[dict[str, Any]]:
    tools: list[dict[str, Any]] = fields.get("tools") or []
    for tool in tools:
        if tool.get("type") != "function" or "name" not in (tool.get("function") or {}):
            raise _bad("invalid request: a tool must have type 'function' and a function with a name")
    return tools


def _check_messages(messages: list[dict[str, Any]]) -> None:
    open_calls: set[str] = set()
    for at, message in enumerate(messages):
        role = message.get("role")
        if role not in {"system", "user", "assistant", "tool", "developer"}:
            raise _bad(f"invalid request: invalid role '{role}' in messages[{at}]")
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                known = message.get("tool_call_id")
                raise _bad(f"invalid request: cannot find tool call id {known} in the preceding tool calls.")
            continue
        open_calls = {call["id"] for call in message.get("tool_calls") or []}
        content = message.get("content")
        if not content and not message.get("tool_calls"):
            raise _bad(
                f"invalid request: all elements in messages must have content or tool calls, messages[{at}] has none"
            )
        for part in content if isinstance(content, list) else []:
            if part.get("type") not in {"text", "image_url", "thinking", "document"}:
                raise _bad(f"invalid request: invalid content type '{part.get('type')}' in messages[{at}]")
    if messages[-1].get("role") == "assistant" and messages[-1].get("tool_calls"):
        raise _bad("invalid request: tool calls must be followed by tool results")


# --- writing ---------------------------------------------------------------------------------------------------------


def _usage(usage: Usage) -> dict[str, Any]:
    tokens = {"input_tokens": usage.input, "output_tokens": usage.output}
    return {"billed_units": tokens, "tokens": tokens, "cached_tokens": usage.cached}


def _known(answer: Answer) -> str:
    return _ID + answer.id[:12]


def _id(call: ToolCall) -> str:
    return f"{call.name}_{call.id}"


def _citation(answer: Answer, quote: Quote) -> dict[str, Any]:
    document = {"id": "doc:0", "text": quote.text, "title": quote.title, "url": quote.url}
    return {
        "start": quote.start,
        "end": quote.end,
        "text": quote.text,
        "sources": [{"type": "document", "id": "doc:0", "document": document}],
        "type": "TEXT_CONTENT",
        "content_index": int(bool(answer.thought)),
    }


def _logprob(words: list[str]) -> dict[str, Any]:
    likely = [-(sum(word.encode()) % 100) / 100 for word in words]
    return {"text": "".join(words), "token_ids": [sum(word.encode()) for word in words], "logprobs": likely}


def _write(ask: Ask, answers: list[Answer], setting: Setting) -> bytes:
    answer = answers[0]
    message: dict[str, Any] = {"role": "assistant"}
    content: list[dict[str, Any]] = []
    if answer.thought:
        content.append({"type": "thinking", "thinking": "".join(answer.thought)})
    if answer.calls:
        if answer.words:
            message["tool_plan"] = answer.text
        message["tool_calls"] = [
            # a call without arguments is told so: a JSON null
            {"id": _id(call), "type": "function", "function": {"name": call.name, "arguments": call.text or "null"}}
            for call in answer.calls
        ]
    elif answer.words:
        content.append({"type": "text", "text": answer.text})
    if content:
        message["content"] = content
    if answer.quotes:
        message["citations"] = [_citation(answer, quote) for quote in answer.quotes]
    made: dict[str, Any] = {"id": _known(answer), "message": message, "finish_reason": _FINISH[answer.finish]}
    if answer.logprobs:
        made["logprobs"] = [_logprob([word]) for word in answer.words]
    return msgspec.json.encode({**made, "usage": _usage(answer.usage)})


def _stream(ask: Ask, answers: list[Answer], setting: Setting) -> Iterator[Piece]:
    answer = answers[0]
    begun = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield Piece(_event("message-start", id=_known(answer), delta={"message": begun}))
    index = 0
    if answer.thought:
        yield from _content("thinking", [[word] for word in answer.thought], index, answer, counted=False)
        index = 1
    words = [answer.words[at : at + setting.chunk_tokens] for at in range(0, len(answer.words), setting.chunk_tokens)]
    if answer.calls:
        for group in words:
            yield Piece(_event("tool-plan-delta", delta={"message": {"tool_plan": "".join(group)}}), len(group))
        for at, call in enumerate(answer.calls):
            yield from _call(at, call)
    elif words:
        yield from _content("text", words, index, answer, counted=True)
    ending = {"finish_reason": _FINISH[answer.finish], "usage": _usage(answer.usage)}
    yield Piece(_event("message-end", id=_known(answer), delta=ending), usage=True, done=True)


def _content(kind: str, words: list[list[str]], index: int, answer: Answer, *, counted: bool) -> Iterator[Piece]:
    yield Piece(_event("content-start", index=index, delta={"message": {"content": {"type": kind, kind: ""}}}))
    for group in words:
        extra = {"logprobs": _logprob(group)} if answer.logprobs and counted else {}
        delta = {"message": {"content": {kind: "".join(group)}}}
        yield Piece(_event("content-delta", index=index, delta=delta, **extra), len(group) if counted else 0)
    for at, quote in enumerate(answer.quotes if counted else ()):
        yield Piece(_event("citation-start", index=at, delta={"message": {"citations": _citation(answer, quote)}}))
        yield Piece(_event("citation-end", index=at))
    yield Piece(_event("content-end", index=index))


def _call(index: int, call: ToolCall) -> Iterator[Piece]:
    function = {"name": call.name, "arguments": call.text if call.inline else ""}
    begun = {"id": _id(call), "type": "function", "function": function}
    yield Piece(_event("tool-call-start", index=index, delta={"message": {"tool_calls": begun}}))
    for piece in [] if call.inline else call.pieces:
        grown = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
        yield Piece(_event("tool-call-delta", index=index, delta=grown))
    yield Piece(_event("tool-call-end", index=index))


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode({"type": kind, **fields}) + b"\n\n"


# --- embeddings and ranks --------------------------------------------------------------------------------------------


def _embed(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    fields = _fields(request)
    texts = fields.get("texts")
    if texts is None and fields.get("inputs"):
        texts = ["".join(part.get("text", "") for part in one["content"]) for one in fields["inputs"]]
    if not texts:
        raise _bad("invalid request: valid texts, images, or inputs must be provided")
    if not fields.get("input_type"):
        raise _bad("invalid request: valid input_type must be provided with the provided model")
    kinds = fields.get("embedding_types") or ["float"]
    if not set(kinds) <= {"float", "base64"}:
        raise _bad("the fake provider has embedding_types float and base64")
    dimensions = fields.get("output_dimension") or _DIMENSIONS
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise _bad(f"output_dimension must be from 1 to {MAX_DIMENSIONS}")

    def play(setting: Setting) -> Reply:
        vectors = [embed(text.encode(), dimensions) for text in texts]
        made: dict[str, Any] = {}
        if "float" in kinds:
            made["float"] = vectors
        if "base64" in kinds:
            made["base64"] = [pack_vector(vector) for vector in vectors]
        tokens = sum(text_tokens(text.encode()) for text in texts)
        meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": tokens}}
        head = {"id": f"{_ID}000000000001", "embeddings": made, "texts": texts, "meta": meta}
        told = msgspec.json.encode({**head, "response_type": "embeddings_by_type"})
        return whole(200, told, usage=Usage(input=tokens))._replace(voice=VOICE)

    return Turn(fields["model"], play)


def _rerank(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    """Cohere's models answer in its shape, others (under /v1) in Jina's."""
    fields = _fields(request)
    documents = fields.get("documents")
    if not isinstance(fields.get("query"), str) or not fields["query"]:
        raise _bad("invalid request: query is required")
    if not isinstance(documents, list) or not documents:
        raise _bad("invalid request: list of documents must not be empty")
    texts = [doc if isinstance(doc, str) else str(doc.get("text", "")) for doc in documents]
    top = fields.get("top_n") or len(texts)
    ranked = sorted(range(len(texts)), key=lambda at: (-_score(fields["query"], texts[at]), at))[:top]
    is_coheres = match["version"] == "2" or fields["model"].startswith("rerank-")

    def play(setting: Setting) -> Reply:
        results: list[dict[str, Any]] = []
        for at in ranked:
            result: dict[str, Any] = {"index": at, "relevance_score": _score(fields["query"], texts[at])}
            if fields.get("return_documents", not is_coheres):
                result["document"] = {"text": texts[at]}
            results.append(result)
        if is_coheres:
            meta = {"api_version": {"version": match["version"]}, "billed_units": {"search_units": 1}}
            body = {"id": f"{_ID}000000000002", "results": results, "meta": meta}
            return whole(200, msgspec.json.encode(body))._replace(voice=VOICE)
        tokens = text_tokens(fields["query"].encode()) * len(texts) + sum(text_tokens(t.encode()) for t in texts)
        jinas = {"model": setting.model, "object": "list", "usage": {"total_tokens": tokens}, "results": results}
        return whole(200, msgspec.json.encode(jinas), usage=Usage(input=tokens))._replace(voice=VOICE)

    return Turn(fields["model"], play)


def _score(query: str, text: str) -> float:
    """The part of the query's words that the text has, below 1, and longer texts below shorter ones."""
    wanted, found = set(query.lower().split()), set(text.lower().split())
    return round(0.98 * len(wanted & found) / max(len(wanted), 1) + 0.01 / (1 + len(text)), 6)


ROUTES = [
    Route("POST", re.compile(r"/v2/chat"), VOICE, Request.has_bearer, _chat),
    Route("POST", re.compile(r"/v2/embed"), VOICE, Request.has_bearer, _embed),
    Route("POST", re.compile(r"/v(?P<version>[12])/rerank"), VOICE, Request.has_bearer, _rerank),
]
