"""Which path is which operation, in every API that is served here."""

from __future__ import annotations

from typing import Literal
from urllib.parse import unquote

import msgspec

from gateline.model.call import FAMILIES, Family, Operation
from gateline.wire.http1 import RequestHead

# Operations that are no calls of a model.
Errand = Literal["models", "responses.read", "ollama.version", "ollama.show"]


class Asked(msgspec.Struct, frozen=True):
    """`model` and `stream` are what the path says of them, where it does. `is_array`: a stream of Gemini's as one JSON
    array. `rest` is what follows the part that names the operation: a model's or a response's id, a path at a provider.
    """

    operation: Operation | Errand
    family: Family
    methods: tuple[bytes, ...] = (b"POST",)
    model: str = ""
    stream: bool | None = None
    is_array: bool = False
    rest: str = ""


_POSTED: dict[bytes, Operation] = {
    b"/v1/chat/completions": "chat.completions",
    b"/v1/completions": "completions",
    b"/v1/embeddings": "embeddings",
    b"/v1/responses": "responses",
    b"/v1/moderations": "moderations",
    b"/v1/images/generations": "images.generations",
    b"/v1/images/edits": "images.edits",
    b"/v1/audio/transcriptions": "audio.transcriptions",
    b"/v1/audio/translations": "audio.translations",
    b"/v1/audio/speech": "audio.speech",
    b"/v1/messages": "messages",
    b"/v1/messages/count_tokens": "messages.count_tokens",
    b"/v1/rerank": "rerank",
    b"/v2/rerank": "rerank",
    b"/v2/chat": "cohere.chat",
    b"/v2/embed": "cohere.embed",
    b"/api/chat": "ollama.chat",
    b"/api/generate": "ollama.generate",
    b"/api/embed": "ollama.embed",
}
_EXACT = {path: Asked(operation, FAMILIES[operation]) for path, operation in _POSTED.items()}
# Prefixes under which one vendor's whole API can be asked for, whatever another has on the same paths.
_PREFIXES: dict[bytes, Family] = {
    b"/openai": "openai",
    b"/anthropic": "anthropic",
    b"/gemini": "gemini",
    b"/cohere": "cohere",
    b"/ollama": "ollama",
}
_FIRST: dict[bytes, Family] = {b"v1beta": "gemini", b"v2": "cohere", b"api": "ollama", b"model": "bedrock"}
_GEMINI: dict[str, tuple[Operation, bool | None]] = {
    "generateContent": ("generate_content", False),
    "streamGenerateContent": ("generate_content", True),
    "countTokens": ("gemini.count_tokens", None),
    "embedContent": ("embed_content", None),
    "batchEmbedContents": ("batch_embed_contents", None),
}
_READ = (b"GET", b"HEAD")
_PASSED = (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE")  # of HEAD the reply's framing would not be understood
_PASSTHROUGH = b"/passthrough/"


def family_of(path: bytes) -> Family:
    """Whose words to refuse a path with that is not served."""
    first = path[1:].partition(b"/")[0]
    if path.startswith(b"/v1/messages/"):
        return "anthropic"
    return _PREFIXES.get(b"/" + first) or _FIRST.get(first, "openai")


def route(request: RequestHead) -> Asked | None:
    """What a path asks for, whatever the method; None for a path that is not served."""
    path = request.path
    asked = _EXACT.get(path)
    if asked is not None:
        return asked
    if path.startswith(_PASSTHROUGH):
        return Asked("passthrough", "openai", _PASSED, rest=path[len(_PASSTHROUGH) :].decode("ascii"))
    cut = path.find(b"/", 1)
    family = _PREFIXES.get(path[:cut]) if cut > 0 else None
    if family is not None:
        return _below(path[cut:], request, family)
    return _below(path, request, None)


def _below(path: bytes, request: RequestHead, family: Family | None) -> Asked | None:
    """`family` None: no prefix says whose API is meant."""
    asked = _EXACT.get(path)
    if asked is not None:
        return asked
    first, _, rest = path[1:].partition(b"/")
    if first in {b"v1", b"v1beta"} and (rest == b"models" or rest.startswith(b"models/")):
        return _models(rest[7:].decode("ascii"), request, family or ("gemini" if first == b"v1beta" else None))
    if path.startswith(b"/v1/responses/"):
        methods = (b"POST",) if path.endswith(b"/cancel") else (b"GET", b"HEAD", b"DELETE")
        return Asked("responses.read", "openai", methods, rest=path[14:].decode("ascii"))
    if path == b"/api/tags":
        return Asked("models", "ollama", _READ)
    if path == b"/api/version":
        return Asked("ollama.version", "ollama", _READ)
    if path == b"/api/show":
        return Asked("ollama.show", "ollama")
    if first == b"model" and path.endswith((b"/converse", b"/converse-stream")):
        name, _, verb = rest.decode("ascii").rpartition("/")
        return Asked("converse", "bedrock", model=unquote(name), stream=verb == "converse-stream")
    return None


def _models(rest: str, request: RequestHead, family: Family | None) -> Asked | None:
    name, colon, verb = rest.rpartition(":")
    if colon and verb in _GEMINI:
        operation, stream = _GEMINI[verb]
        is_array = bool(stream) and b"alt=sse" not in request.query.split(b"&")
        return Asked(operation, "gemini", model=unquote(name), stream=stream, is_array=is_array)
    return Asked("models", family or _family(request), _READ, rest=unquote(rest))


def _family(request: RequestHead) -> Family:
    """Whose list of models is meant where four vendors have theirs on one path: told by their SDKs' headers."""
    headers = request.headers
    if b"x-goog-api-key" in headers or b"x-goog-api-client" in headers:
        return "gemini"
    if headers.get(b"x-fern-sdk-name", b"").startswith(b"cohere"):
        return "cohere"
    return "anthropic" if b"anthropic-version" in headers else "openai"
