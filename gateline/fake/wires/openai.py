"""OpenAI's endpoints for text: chat (Azure's path too), legacy completions, embeddings, models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

import msgspec

from gateline.fake import objects
from gateline.fake.answer import (
    DEFAULT_DIMENSIONS,
    MAX_DIMENSIONS,
    Answer,
    embed,
    pack_vector,
    read_inputs,
    text_tokens,
)
from gateline.fake.ask import Ask
from gateline.fake.objects import OPENAI
from gateline.fake.reply import Piece, Refusal, Reply, Voice, whole
from gateline.fake.request import Request, same
from gateline.fake.turn import Memory, Route, Setting, Turn, generation
from gateline.fake.wires.openai_chat import chat_chunks, chat_completion
from gateline.fake.wires.openai_chat_read import bad, check_arguments, read_chat, read_object
from gateline.model.usage import Usage


def _chat(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    return _strict(read_chat(request), OPENAI)


def _azure_chat(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    """Azure's deployments: the model is in the path, the version in the query."""
    if not request.query("api-version"):
        raise _missing()
    return _strict(read_chat(request, unquote(match["model"])), AZURE)


def _strict(ask: Ask, voice: Voice) -> Turn:
    turn = generation(ask, voice, _write_chat, _stream_chat)

    def play(setting: Setting) -> Reply:
        if setting.strict:
            check_arguments(ask, setting.model)
        return turn.play(setting)

    return turn._replace(play=play)


def _missing() -> Exception:
    return bad("The api-version query parameter (?api-version=) is required for all requests.", "api-version")


def _write_chat(ask: Ask, answers: list[Answer], setting: Setting) -> bytes:
    return chat_completion(answers, setting.model)


def _stream_chat(ask: Ask, answers: list[Answer], setting: Setting) -> Iterator[Piece]:
    return chat_chunks(answers, setting.model, setting.chunk_tokens, usage=ask.tells_usage)


def _completions(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    fields = read_object(request)
    if fields.get("prompt") is None:
        raise bad("Missing required parameter: 'prompt'.", "prompt", "missing_required_parameter")
    if fields.get("n") not in {None, 1}:
        raise bad("The fake provider writes one completion: n must be 1.", "n")
    metadata = fields.get("metadata")
    ask = Ask(
        model=fields["model"],
        asked=request.raw("prompt"),
        stream=bool(fields.get("stream")),
        told=metadata.get("fake") if isinstance(metadata, dict) else None,
        limit=fields.get("max_tokens"),
        tells_usage=bool((fields.get("stream_options") or {}).get("include_usage")),
    )
    return generation(ask, OPENAI, _write_completion, _stream_completion)


def _write_completion(ask: Ask, answers: list[Answer], setting: Setting) -> bytes:
    return objects.completion(answers[0], setting.model)


def _stream_completion(ask: Ask, answers: list[Answer], setting: Setting) -> Iterator[Piece]:
    return objects.completion_chunks(answers[0], setting.model, setting.chunk_tokens, usage=ask.tells_usage)


def _embeddings(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    named = match.groupdict().get("model")
    fields = read_object(request, None if named is None else unquote(named))
    dimensions = fields.get("dimensions")
    dimensions = DEFAULT_DIMENSIONS if dimensions is None else dimensions
    if not isinstance(dimensions, int) or not 1 <= dimensions <= MAX_DIMENSIONS:
        raise bad(f"dimensions must be from 1 to {MAX_DIMENSIONS}.", "dimensions")
    if fields.get("encoding_format") not in {None, "float", "base64"}:
        raise bad("encoding_format must be 'float' or 'base64'.", "encoding_format")
    try:
        inputs = read_inputs(request.raw("input"))
    except ValueError as error:
        raise bad(str(error), "input") from error

    def play(setting: Setting) -> Reply:
        vectors = [embed(text, dimensions) for text in inputs]
        tokens = sum(text_tokens(text) for text in inputs)
        rows = [pack_vector(vector) for vector in vectors] if fields.get("encoding_format") == "base64" else vectors
        return whole(200, objects.embeddings(rows, setting.model, tokens), usage=Usage(input=tokens))

    metadata = fields.get("metadata")
    return Turn(fields["model"], play, told=metadata.get("fake") if isinstance(metadata, dict) else None)


def models_page(path: str, names: list[str], *, is_closed: bool) -> Reply | None:
    """The list, or one of it; None for another path. `is_closed`: there are no others. Raises Refusal."""
    if path == "/v1/models":
        return whole(200, objects.models_page(names))
    if not path.startswith("/v1/models/"):
        return None
    name = path.removeprefix("/v1/models/")
    if is_closed and name not in names:
        raise Refusal(OPENAI.refuse(*OPENAI.unknown(name)))
    return whole(200, msgspec.json.encode(objects.model_object(name)))


def proves_azure(request: Request, key: str) -> bool:
    return same(request.header("api-key") or request.bearer(), key)


_AZURE = r"/openai/deployments/(?P<model>[^/]+)"
AZURE = OPENAI._replace(denied=(401, "Access denied due to invalid subscription key or wrong API endpoint.", "401"))
ROUTES = [
    Route("POST", re.compile(r"/v1/chat/completions"), OPENAI, Request.has_bearer, _chat),
    Route("POST", re.compile(r"/v1/completions"), OPENAI, Request.has_bearer, _completions),
    Route("POST", re.compile(r"/v1/embeddings"), OPENAI, Request.has_bearer, _embeddings),
    Route("POST", re.compile(_AZURE + "/chat/completions"), AZURE, proves_azure, _azure_chat),
    Route("POST", re.compile(_AZURE + "/embeddings"), AZURE, proves_azure, _embeddings),
    Route("POST", re.compile(r"/openai/v1/chat/completions"), AZURE, proves_azure, _chat),
]
