"""Gemini's API (ai.google.dev/api) under /v1 and /v1beta, and the same methods behind Vertex's paths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import msgspec

from gateline.fake.answer import MAX_DIMENSIONS, Answer, embed, text_tokens
from gateline.fake.ask import Ask
from gateline.fake.perform import total
from gateline.fake.reply import Piece, Reply, Voice, whole
from gateline.fake.request import Request, same
from gateline.fake.seal import make_seal
from gateline.fake.turn import Memory, Route, Setting, Turn, generation
from gateline.fake.wires.gemini_read import Rules
from gateline.model.usage import Usage

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "tools": "STOP", "refusal": "SAFETY"}
_DIMENSIONS = 3072
_UNTOLD = ("cache_write",)  # Google bills what its caches hold by the hour, not what is written to them
_HARM = [{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True}]


def _body(status: int, message: str, code: str | None) -> dict[str, Any]:
    usual = "INVALID_ARGUMENT" if status < 500 else "INTERNAL"
    error: dict[str, Any] = {"code": status, "message": message, "status": _STATUSES.get(status, usual)}
    if code is not None:
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code, "domain": "googleapis.com"}
        error["details"] = [info]
    return {"error": error}


def _error(
    status: int, message: str, code: str | None = None, param: str | None = None
) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    return msgspec.json.encode(_body(status, message, code)), ()


def _wait(body: bytes, seconds: float) -> bytes:
    """Google has no Retry-After: the delay is a detail of the error."""
    told = msgspec.json.decode(body)
    delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds:g}s"}
    told["error"]["details"] = [*told["error"].get("details", []), delay]
    return msgspec.json.encode(told)


def _unknown(model: str) -> tuple[int, str, None]:
    told = "is not found for API version v1beta, or is not supported for generateContent."
    return 404, f"models/{model} {told} Call ListModels to see the list of available models.", None


VOICE = Voice(
    error=_error,
    in_band=lambda message: b"data: " + _error(503, message)[0] + b"\r\n\r\n",
    bad_event=b'data: {"candidates":[{"content":{"parts":[{"text":"unfinis\r\n\r\n',
    unknown=_unknown,
    denied=(400, "API key not valid. Please pass a valid API key.", "API_KEY_INVALID"),
    wait=_wait,
)
_ARRAY = VOICE._replace(
    in_band=lambda message: b",\r\n" + _error(503, message)[0] + b"\n]", bad_event=b',\r\n{"candidates":[{"con\n'
)
VERTEX = VOICE._replace(
    denied=(401, "Request had invalid authentication credentials. Expected OAuth 2 access token.", None)
)
_RULES = Rules(VOICE)


def proves(request: Request, key: str) -> bool:
    return same(request.header("x-goog-api-key") or request.query("key"), key)


def _generate(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    streams = match["verb"] == "streamGenerateContent"
    ask = _RULES.read(request, unquote(match["model"]), stream=streams)
    if streams and request.query("alt") != "sse":
        return generation(ask, _ARRAY, _write, _stream_array, content_type="application/json", untold=_UNTOLD)
    return generation(ask, VOICE, _write, _stream, untold=_UNTOLD)


def _count(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    fields = _RULES.fields(request)
    _RULES.known(fields, frozenset({"contents", "generateContentRequest", "systemInstruction", "tools", "model"}))
    if "generateContentRequest" in fields:
        raw = msgspec.json.encode(fields["generateContentRequest"].get("contents"))
    else:
        raw = request.raw("contents")
    tokens = text_tokens(raw)
    body = {"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]}
    return Turn(unquote(match["model"]), lambda setting: _plain(body))


def _embed(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    values = _vector(_RULES.fields(request))
    return Turn(unquote(match["model"]), lambda setting: _plain({"embedding": {"values": values}}))


def _embed_all(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    asked = _RULES.fields(request).get("requests")
    if not asked:
        raise _RULES.bad("* BatchEmbedContentsRequest.requests: requests is not specified\n")
    for at, one in enumerate(asked):
        if unquote(str(one.get("model", ""))).removeprefix("models/") != unquote(match["model"]):
            raise _RULES.bad(f"* BatchEmbedContentsRequest.requests[{at}].model: must match the batch's model\n")
    vectors = [{"values": _vector(one)} for one in asked]
    return Turn(unquote(match["model"]), lambda setting: _plain({"embeddings": vectors}))


def _predict(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    """Vertex's embeddings: one prediction an instance, the tokens of each beside it."""
    fields = _RULES.fields(request)
    instances = fields.get("instances")
    if not instances:
        raise _RULES.bad("Invalid resource field value in the request: instances is empty")
    dimensions = (fields.get("parameters") or {}).get("outputDimensionality") or 768
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise _RULES.bad(f"outputDimensionality must be from 1 to {MAX_DIMENSIONS}")
    texts = [str(one["content"]).encode() for one in instances]

    def play(setting: Setting) -> Reply:
        counts = [text_tokens(text) for text in texts]
        made = [
            {"embeddings": {"values": embed(text, dimensions), "statistics": {"token_count": n, "truncated": False}}}
            for text, n in zip(texts, counts, strict=True)
        ]
        body = {"predictions": made, "metadata": {"billableCharacterCount": sum(map(len, texts))}}
        return whole(200, msgspec.json.encode(body), usage=Usage(input=sum(counts)))._replace(voice=VOICE)

    return Turn(unquote(match["model"]), play)


def _vector(fields: dict[str, Any]) -> list[float]:
    known = frozenset({"model", "content", "taskType", "title", "outputDimensionality", "embedContentConfig"})
    _RULES.known(fields, known)
    parts = (fields.get("content") or {}).get("parts")
    if not parts:
        raise _RULES.bad("* EmbedContentRequest.content: content is not specified\n")
    dimensions = fields.get("outputDimensionality") or _DIMENSIONS
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise _RULES.bad(f"output_dimensionality must be from 1 to {MAX_DIMENSIONS}")
    return embed("".join(str(part.get("text", "")) for part in parts).encode(), dimensions)


def _plain(body: dict[str, Any]) -> Reply:
    return whole(200, msgspec.json.encode(body))._replace(voice=VOICE)


def models_page(path: str, names: list[str]) -> Reply | None:
    def page(name: str) -> dict[str, Any]:
        methods = ["generateContent", "countTokens", "embedContent"]
        limits = {"inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536}
        return {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": methods, **limits}

    root, _, name = path[1:].partition("/models")
    if root not in {"v1", "v1beta"} or (name and not name.startswith("/")):
        return None
    return _plain(page(name[1:]) if name else {"models": [page(known) for known in names]})


# --- writing ---------------------------------------------------------------------------------------------------------


def _usage(usage: Usage, sent: int | None = None) -> dict[str, Any]:
    """`sent`: the tokens that a stream has sent so far; None for all. Thoughts are counted beside the candidates."""
    candidates = usage.output - usage.reasoning if sent is None else sent
    told: dict[str, Any] = {
        "promptTokenCount": usage.input,
        "candidatesTokenCount": candidates,
        "totalTokenCount": usage.input + candidates + usage.reasoning,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input}],
    }
    if usage.cached:
        told["cachedContentTokenCount"] = usage.cached
    if usage.reasoning:
        told["thoughtsTokenCount"] = usage.reasoning
    return told


def _calls(ask: Ask, answer: Answer) -> list[dict[str, Any]]:
    """The first call of a step has the signature of all the thinking before it."""
    parts: list[dict[str, Any]] = []
    for at, call in enumerate(answer.calls):
        told = {"name": call.name, "args": call.arguments} if call.text else {"name": call.name}
        part: dict[str, Any] = {"functionCall": told}
        if at == 0 and (ask.is_sealed or answer.thought is not None):
            part["thoughtSignature"] = make_seal("gemini", answer.id, call.name)
        parts.append(part)
    return parts


def _candidate(index: int, parts: list[dict[str, Any]], answer: Answer | None) -> dict[str, Any]:
    """`answer`: given with the last part of it, for what is told at the end."""
    made: dict[str, Any] = {}
    if answer is None or answer.finish != "refusal":
        made["content"] = {"parts": parts, "role": "model"}
    if answer is not None:
        made["finishReason"] = _FINISH[answer.finish]
        if answer.finish == "refusal":
            made["safetyRatings"] = _HARM
        if answer.quotes:
            made["groundingMetadata"] = _grounding(answer)
        if answer.logprobs:
            chosen = [{"token": word, "logProbability": -(sum(word.encode()) % 100) / 100} for word in answer.words]
            top = [{"candidates": [token]} for token in chosen]
            made["logprobsResult"] = {"topCandidates": top, "chosenCandidates": chosen}
    return {**made, "index": index}


def _grounding(answer: Answer) -> dict[str, Any]:
    chunks = [{"web": {"uri": quote.url, "title": quote.title}} for quote in answer.quotes]
    before = [answer.text[: quote.start].encode() for quote in answer.quotes]
    supports = [
        {
            # Google counts bytes, not characters
            "segment": {"startIndex": len(head), "endIndex": len(head) + len(quote.text.encode()), "text": quote.text},
            "groundingChunkIndices": [at],
        }
        for at, (head, quote) in enumerate(zip(before, answer.quotes, strict=True))
    ]
    return {"groundingChunks": chunks, "groundingSupports": supports, "webSearchQueries": ["timetable"]}


def _response(candidates: list[dict[str, Any]], answers: list[Answer], model: str, usage: dict[str, Any]) -> bytes:
    made = {"candidates": candidates, "usageMetadata": usage, "modelVersion": model, "responseId": answers[0].id}
    return msgspec.json.encode(made)


def _write(ask: Ask, answers: list[Answer], setting: Setting) -> bytes:
    candidates = []
    for index, answer in enumerate(answers):
        parts: list[dict[str, Any]] = []
        if answer.thought:
            parts.append({"text": "".join(answer.thought), "thought": True})
        if answer.words:
            text: dict[str, Any] = {"text": answer.text}
            if answer.thought is not None and not answer.calls:
                text["thoughtSignature"] = make_seal("gemini", answer.id, "")
            parts.append(text)
        candidates.append(_candidate(index, parts + _calls(ask, answer), answer))
    return _response(candidates, answers, setting.model, _usage(total(answers)))


def _responses(ask: Ask, answers: list[Answer], setting: Setting) -> Iterator[tuple[bytes, int, bool]]:
    """The objects of a stream, with the tokens in each; the last one of all is marked."""
    usage, sent = total(answers), 0
    for index, answer in enumerate(answers):
        parts: list[tuple[dict[str, Any], int]] = []
        if answer.thought:
            parts += [({"text": word, "thought": True}, 0) for word in answer.thought]
        if answer.finish != "refusal":
            for at in range(0, len(answer.words), setting.chunk_tokens):
                words = answer.words[at : at + setting.chunk_tokens]
                parts.append(({"text": "".join(words)}, len(words)))
        parts += [(part, 0) for part in _calls(ask, answer)]
        for part, tokens in parts:
            sent += tokens
            yield (
                _response([_candidate(index, [part], None)], answers, setting.model, _usage(usage, sent)),
                tokens,
                False,
            )
        last: dict[str, Any] = {"text": ""}
        if answer.thought is not None and not answer.calls:
            last["thoughtSignature"] = make_seal("gemini", answer.id, "")
        is_last = index == len(answers) - 1
        told = _usage(usage, None if is_last else sent)
        yield _response([_candidate(index, [last], answer)], answers, setting.model, told), 0, is_last


def _stream(ask: Ask, answers: list[Answer], setting: Setting) -> Iterator[Piece]:
    for data, tokens, is_last in _responses(ask, answers, setting):
        yield Piece(b"data: " + data + b"\r\n\r\n", tokens, usage=is_last, done=is_last)


def _stream_array(ask: Ask, answers: list[Answer], setting: Setting) -> Iterator[Piece]:
    """The same objects as the items of one JSON array, as comes without `alt=sse`."""
    before = b"["
    for data, tokens, is_last in _responses(ask, answers, setting):
        yield Piece(before + data + (b"\n]" if is_last else b"\n"), tokens, usage=is_last, done=is_last)
        before = b",\r\n"


def _routes() -> Iterator[Route]:
    methods = [
        ("(?P<verb>generateContent|streamGenerateContent)", _generate),
        ("countTokens", _count),
        ("embedContent", _embed),
        ("batchEmbedContents", _embed_all),
    ]
    vertex = r"/(v1|v1beta1)/(projects/[^/]+/locations/[^/]+/)?publishers/google/models/(?P<model>[^/]+)"
    yield Route("POST", re.compile(rf"{vertex}:predict"), VERTEX, Request.has_bearer, _predict)
    for verb, read in methods:
        yield Route("POST", re.compile(rf"/(v1|v1beta)/models/(?P<model>[^/]+):{verb}"), VOICE, proves, read)
        yield Route("POST", re.compile(rf"{vertex}:{verb}"), VERTEX, Request.has_bearer, read)


ROUTES = list(_routes())
