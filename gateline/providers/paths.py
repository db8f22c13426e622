"""Where each operation is, below a provider's base URL."""

from __future__ import annotations

from urllib.parse import quote

from gateline.model.call import Operation
from gateline.model.snapshot import Provider
from gateline.providers.row import Row

# `{model}` stands for the model's name, percent-encoded; after a bar follows what a streamed call is sent to instead.
PATHS: dict[Operation, str] = {
    "chat.completions": "/chat/completions",
    "completions": "/completions",
    "responses": "/responses",
    "messages": "/messages",
    "messages.count_tokens": "/messages/count_tokens",
    "generate_content": "/models/{model}:generateContent|/models/{model}:streamGenerateContent?alt=sse",
    "gemini.count_tokens": "/models/{model}:countTokens",
    "embed_content": "/models/{model}:embedContent",
    "batch_embed_contents": "/models/{model}:batchEmbedContents",
    "converse": "/model/{model}/converse|/model/{model}/converse-stream",
    "cohere.chat": "/v2/chat",
    "cohere.embed": "/v2/embed",
    "ollama.chat": "/api/chat",
    "ollama.generate": "/api/generate",
    "ollama.embed": "/api/embed",
    "embeddings": "/embeddings",
    "rerank": "/rerank",
    "moderations": "/moderations",
    "images.generations": "/images/generations",
    "images.edits": "/images/edits",
    "audio.transcriptions": "/audio/transcriptions",
    "audio.translations": "/audio/translations",
    "audio.speech": "/audio/speech",
}


def request_target(provider: Provider, row: Row, operation: Operation, model: str, *, stream: bool = False) -> str:
    """The origin-form target of `operation` at `provider`. Raises ValueError when the path names an option that the
    provider does not have."""
    whole, _, streamed = (row.paths.get(operation) or PATHS[operation]).partition("|")
    template = streamed if stream and streamed else whole
    if "{" in template:
        template = fill(template, provider.options, model)
    return provider.path + template


def fill(template: str, options: tuple[tuple[str, str], ...], model: str = "") -> str:
    """`template` with its braces filled. Raises ValueError, naming what is missing."""
    try:
        return template.format(model=quote(model, safe=""), **dict(options))
    except KeyError as error:
        raise ValueError(f"needs {error.args[0]}") from None
