"""The vendors, by the name that a configuration calls them: one row each."""

from __future__ import annotations

import msgspec

from gateline.formats.dialect import Dialect
from gateline.model.call import Operation
from gateline.providers import reroutes
from gateline.providers.compatible import COMPATIBLE
from gateline.providers.row import OPENAI_TEXT, Row

_OPENAI: tuple[Operation, ...] = (
    "chat.completions", "responses", "completions", "embeddings", "moderations", "images.generations", "images.edits",
    "audio.transcriptions", "audio.translations", "audio.speech",
)  # fmt: skip
_OPENAI_DIALECT = Dialect(
    max_tokens="max_completion_tokens",
    has_developer=True,
    thinking="reasoning_effort",
    refuses=frozenset({"top_k"}),
)
_AZURE: dict[Operation, str] = {
    "chat.completions": "chat/completions",
    "completions": "completions",
    "embeddings": "embeddings",
    "images.generations": "images/generations",
    "images.edits": "images/edits",
    "audio.transcriptions": "audio/transcriptions",
    "audio.translations": "audio/translations",
    "audio.speech": "audio/speech",
}
_AZURE_PATHS: dict[Operation, str] = {
    operation: f"/openai/deployments/{{model}}/{path}?api-version={{api_version}}" for operation, path in _AZURE.items()
}

TABLE: dict[str, Row] = {
    "openai": Row(
        title="OpenAI",
        speaks=_OPENAI,
        base_url="https://api.openai.com/v1",
        dialect=_OPENAI_DIALECT,
        docs="https://platform.openai.com/docs/api-reference",
    ),
    "openai-responses": Row(
        title="OpenAI by its Responses API",
        speaks=("responses",),
        base_url="https://api.openai.com/v1",
        dialect=_OPENAI_DIALECT,
        docs="https://platform.openai.com/docs/api-reference/responses",
        quirks="For models that only this API has, and for reasoning that is to come back in the next turn, whatever "
        "format the client speaks.",
    ),
    "azure": Row(
        title="Azure OpenAI",
        speaks=tuple(operation for operation in _OPENAI if operation != "moderations"),
        auth="api-key",
        issuer="entra",
        dialect=msgspec.structs.replace(_OPENAI_DIALECT, maker="azure"),
        paths={**_AZURE_PATHS, "responses": "/openai/v1/responses"},
        options=("api_version",),
        free="/openai/models?api-version={api_version}",
        docs="https://learn.microsoft.com/azure/ai-foundry/openai/reference",
        quirks="The model is the name of a deployment; `base_url` is the resource's endpoint.",
    ),
    "anthropic": Row(
        title="Anthropic",
        speaks=("messages", "messages.count_tokens"),
        auth="x-api-key",
        base_url="https://api.anthropic.com/v1",
        edition=b"anthropic-version: 2023-06-01\r\n",
        free="/models?limit=1",
        routed_by=reroutes.ANTHROPIC,
        docs="https://platform.claude.com/docs/en/api",
        quirks="`max_tokens` is required: a call without one gets a bound of its own.",
    ),
    "gemini": Row(
        title="Google Gemini API",
        speaks=("generate_content", "gemini.count_tokens", "batch_embed_contents", "embed_content"),
        auth="x-goog-api-key",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        free="/models?pageSize=1",
        docs="https://ai.google.dev/api",
        quirks="Signatures of Gemini 3 must come back with their function calls.",
    ),
    "vertex": Row(
        title="Google Vertex AI",
        speaks=("generate_content", "gemini.count_tokens"),
        issuer="google",
        base_url="https://{location_prefix}aiplatform.googleapis.com/v1/projects/{project}/locations/{location}",
        paths={
            "generate_content": "/publishers/google/models/{model}:generateContent"
            "|/publishers/google/models/{model}:streamGenerateContent?alt=sse",
            "gemini.count_tokens": "/publishers/google/models/{model}:countTokens",
        },
        options=("project", "location"),
        free="",
        docs="https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest",
        quirks="The location `global` has a host without a location in its name.",
    ),
    "vertex-anthropic": Row(
        title="Anthropic on Vertex AI",
        speaks=("messages",),
        issuer="google",
        base_url="https://{location_prefix}aiplatform.googleapis.com/v1/projects/{project}/locations/{location}",
        dialect=Dialect(anthropic_version="vertex-2023-10-16"),
        paths={
            "messages": "/publishers/anthropic/models/{model}:rawPredict"
            "|/publishers/anthropic/models/{model}:streamRawPredict"
        },
        options=("project", "location"),
        free="",
        routed_by=reroutes.ANTHROPIC,
        docs="https://platform.claude.com/docs/en/api/claude-on-vertex-ai",
        quirks="The model is in the path, and the API version in the body.",
    ),
    "bedrock": Row(
        title="AWS Bedrock",
        speaks=("converse",),
        issuer="aws",
        base_url="https://bedrock-runtime.{region}.amazonaws.com",
        options=("region",),
        free="",
        docs="https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
        quirks="Requests are signed (SigV4), or carry a Bedrock API key; streams are AWS event streams.",
    ),
    "cohere": Row(
        title="Cohere",
        speaks=("cohere.chat", "cohere.embed", "rerank"),
        base_url="https://api.cohere.com",
        paths={"rerank": "/v2/rerank"},
        free="/v1/models?page_size=1",
        docs="https://docs.cohere.com/reference",
    ),
    "ollama": Row(
        title="Ollama",
        speaks=("ollama.chat", "chat.completions", "ollama.generate", "completions", "ollama.embed", "embeddings"),
        base_url="http://localhost:11434",
        paths={
            "chat.completions": "/v1/chat/completions",
            "completions": "/v1/completions",
            "embeddings": "/v1/embeddings",
        },
        free="/api/tags",
        docs="https://docs.ollama.com/api",
        quirks="Streams are lines of JSON; a key is sent only if one is configured.",
    ),
    "openai-compatible": Row(title="any OpenAI-compatible server", speaks=OPENAI_TEXT, routed_by=reroutes.ANY),
    "local": Row(title="a model on this machine", speaks=OPENAI_TEXT, auth="none", free=""),
    **COMPATIBLE,
}
