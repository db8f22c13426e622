"""What Ollama's API calls the features of a chat, of its one-prompt form, and of an embedding."""

from __future__ import annotations

_SAMPLING: dict[str, str] = {
    "output": "format",
    "thinking": "think",
    "max_tokens": "options.num_predict",
    "temperature": "options.temperature",
    "top_p": "options.top_p",
    "top_k": "options.top_k",
    "frequency_penalty": "options.frequency_penalty",
    "presence_penalty": "options.presence_penalty",
    "seed": "options.seed",
    "stop": "options.stop",
    "logprobs": "logprobs",
    "top_logprobs": "top_logprobs",
}
_MESSAGES: dict[str, str] = {
    "tools": "tools",
    "image": "messages.images",
    "reasoning": "messages.thinking",
    "tool_media": "messages.images",
    "prefill": "messages",
    "system_place": "messages.role.system",
}

# Where a message of an assistant keeps seals: see `outline.py`.
CHAT_NAMES: dict[str, str] = {**_MESSAGES, **_SAMPLING, "seal": "messages.tool_name"}
GENERATE_NAMES: dict[str, str] = {**_SAMPLING, "image": "images"}

# There is no field that makes the model call a tool, or keeps it from it: the list is narrowed, or left out.
CLIENT_NAMES: dict[str, str] = {
    **_MESSAGES,
    **_SAMPLING,
    "tool_choice": "tools",
    "file": "messages.content",  # text files: they are text
    "refusal": "messages.content",
    "developer": "messages.role",
}

EMBED_NAMES: dict[str, str] = {"inputs": "input", "dimensions": "dimensions", "truncate": "truncate"}
