"""What Cohere calls the features of a chat."""

from __future__ import annotations

_NAMES: dict[str, str] = {
    "tools": "tools",
    "tool_choice": "tool_choice",
    "output": "response_format",
    "thinking": "thinking",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "p",
    "top_k": "k",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "stop": "stop_sequences",
    "logprobs": "logprobs",
    "image": "messages.content.image_url",
    "reasoning": "messages.content.thinking",
    "system_place": "messages.role.system",
    "detail": "messages.content.image_url.detail",
}
SERVER_NAMES: dict[str, str] = {
    **_NAMES,
    "citations": "messages.citations",
    "seal": "messages.content.signature",
}
CLIENT_NAMES: dict[str, str] = {
    **_NAMES,
    "refusal": "messages.content",
    "developer": "messages.role.system",
}
EMBED_NAMES: dict[str, str] = {
    "dimensions": "output_dimension",
    "encoding": "embedding_types",
    "purpose": "input_type",
    "truncate": "truncate",
}
RERANK_NAMES: dict[str, str] = {"top": "top_n", "return_documents": "return_documents"}
