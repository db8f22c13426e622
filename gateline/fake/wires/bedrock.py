"""Bedrock's Converse and ConverseStream (docs.aws.amazon.com/bedrock/latest/APIReference), signed as AWS wants it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import msgspec

from gateline.fake.answer import Answer
from gateline.fake.ask import Ask
from gateline.fake.reply import Piece, Refusal, Voice
from gateline.fake.request import Request
from gateline.fake.seal import make_seal
from gateline.fake.sigv4 import is_signed, is_signed_with
from gateline.fake.turn import Memory, Route, Setting, Turn, generation, groups
from gateline.fake.wires.bedrock_read import Rules
from gateline.model.usage import Usage
from gateline.wire.eventstream import write_message

_STREAM = "application/vnd.amazon.eventstream"
_FINISH = {"stop": "end_turn", "length": "max_tokens", "tools": "tool_use", "refusal": "guardrail_intervened"}
_UNTOLD = ("reasoning",)
_KINDS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


def _error(
    status: int, message: str, code: str | None = None, param: str | None = None
) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    kind = _KINDS.get(status, "ValidationException" if status < 500 else "InternalServerException")
    name = code if code is not None and code.endswith("Exception") else kind
    body = msgspec.json.encode({"message": message if code != "bad_cue" else f"bad_cue: {message}"})
    return body, (("x-amzn-errortype", f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"),)


def _in_band(message: str) -> bytes:
    head = {":exception-type": "modelStreamErrorException", ":content-type": "application/json"}
    body = {"message": message, "originalStatusCode": 500, "originalMessage": message}
    return write_message({**head, ":message-type": "exception"}, msgspec.json.encode(body))


def _message(kind: str, payload: bytes) -> bytes:
    head = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return write_message(head, payload)


VOICE = Voice(
    error=_error,
    in_band=_in_band,
    bad_event=_message("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"unfinis'),
    unknown=lambda model: (400, "The provided model identifier is invalid.", None),
    denied=(403, "The security token included in the request is invalid.", "UnrecognizedClientException"),
    id_header="x-amzn-requestid",
)
_RULES = Rules(VOICE)


def proves(request: Request, key: str) -> bool:
    """A bearer token that is the key, or a signature made with the key as the secret. Raises Refusal."""
    if request.bearer():
        return request.has_bearer(key)
    if is_signed(request) and not is_signed_with(request, key):
        told = "The request signature we calculated does not match the signature you provided. Check your AWS Secret"
        message = f"{told} Access Key and signing method. Consult the service documentation for details."
        raise Refusal(VOICE.refuse(403, message, "InvalidSignatureException"))
    return is_signed(request)


def _converse(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    if not request.bearer() and not is_signed(request):
        raise Refusal(VOICE.refuse(403, "Missing Authentication Token", "MissingAuthenticationTokenException"))
    ask = _RULES.read(request, unquote(match["model"]), stream=match["stream"] is not None)
    return generation(ask, VOICE, _write, _stream, content_type=_STREAM, untold=_UNTOLD)


# --- writing ---------------------------------------------------------------------------------------------------------


def _usage(usage: Usage) -> dict[str, Any]:
    """Input tokens are those that neither came from the cache nor went to it; the total has them all."""
    return {
        "inputTokens": usage.input - usage.cached - usage.cache_write,
        "outputTokens": usage.output,
        "totalTokens": usage.input + usage.output,
        "cacheReadInputTokens": usage.cached,
        "cacheWriteInputTokens": usage.cache_write,
    }


def _reasoning(answer: Answer) -> dict[str, Any]:
    """One that is kept hidden comes redacted, as bytes."""
    if not answer.thought:
        return {"redactedContent": b64encode(make_seal("anthropic", answer.id, "").encode()).decode()}
    text = "".join(answer.thought)
    return {"reasoningText": {"text": text, "signature": make_seal("anthropic", answer.id, text)}}


def _citations(answer: Answer) -> list[dict[str, Any]]:
    return [
        {
            "title": quote.title,
            "sourceContent": [{"text": quote.text}],
            "location": {"web": {"url": quote.url, "domain": "example.com"}},
        }
        for quote in answer.quotes
    ]


def _write(ask: Ask, answers: list[Answer], setting: Setting) -> bytes:
    answer = answers[0]
    content: list[dict[str, Any]] = []
    if answer.thought is not None:
        content.append({"reasoningContent": _reasoning(answer)})
    if answer.quotes:
        content.append({"citationsContent": {"content": [{"text": answer.text}], "citations": _citations(answer)}})
    elif answer.words:
        content.append({"text": answer.text})
    content += [
        {"toolUse": {"toolUseId": f"tooluse_{call.id}", "name": call.name, "input": call.arguments}}
        for call in answer.calls
    ]
    return msgspec.json.encode(
        {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": _FINISH[answer.finish],
            "usage": _usage(answer.usage),
            "metrics": {"latencyMs": 1},
        }
    )


def _event(kind: str, **fields: Any) -> bytes:
    """The padding that hides how long a text is comes last, as at the vendor's."""
    return _message(kind, msgspec.json.encode({**fields, "p": "abcdefgh"}))


def _stream(ask: Ask, answers: list[Answer], setting: Setting) -> Iterator[Piece]:
    answer = answers[0]
    yield Piece(_event("messageStart", role="assistant"))
    for index, (start, deltas) in enumerate(_blocks(answer, setting.chunk_tokens)):
        if start is not None:
            yield Piece(_event("contentBlockStart", contentBlockIndex=index, start=start))
        for delta, tokens in deltas:
            yield Piece(_event("contentBlockDelta", contentBlockIndex=index, delta=delta), tokens)
        yield Piece(_event("contentBlockStop", contentBlockIndex=index))
    yield Piece(_event("messageStop", stopReason=_FINISH[answer.finish]), done=True)
    usage, metrics = _usage(answer.usage), {"latencyMs": 1}
    yield Piece(_event("metadata", usage=usage, metrics=metrics), usage=True, done=True)


Deltas = list[tuple[dict[str, Any], int]]


def _blocks(answer: Answer, chunk_tokens: int) -> Iterator[tuple[dict[str, Any] | None, Deltas]]:
    """Each content block: how it starts, which only calls do, and what it grows by, with the tokens in it."""
    if answer.thought is not None:
        told = _reasoning(answer)
        if answer.thought:
            texts = groups(answer.thought, chunk_tokens)
            thoughts: Deltas = [({"reasoningContent": {"text": text}}, 0) for text in texts]
            yield None, [*thoughts, ({"reasoningContent": {"signature": told["reasoningText"]["signature"]}}, 0)]
        else:
            yield None, [({"reasoningContent": told}, 0)]
    if answer.words:
        starts = range(0, len(answer.words), chunk_tokens)
        said: Deltas = [
            ({"text": "".join(words)}, len(words)) for at in starts if (words := answer.words[at : at + chunk_tokens])
        ]
        yield None, [*said, *[({"citation": citation}, 0) for citation in _citations(answer)]]
    for call in answer.calls:
        start = {"toolUse": {"toolUseId": f"tooluse_{call.id}", "name": call.name}}
        yield start, [({"toolUse": {"input": piece}}, 0) for piece in call.pieces or [""]]


ROUTES = [Route("POST", re.compile(r"/model/(?P<model>[^/]+)/converse(?P<stream>-stream)?"), VOICE, proves, _converse)]
