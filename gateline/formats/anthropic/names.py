"""What Anthropic's API calls the features of a chat."""

from __future__ import annotations

_SHARED: dict[str, str] = {
    "tools": "tools",
    "tool_choice": "tool_choice",
    "parallel_tools": "tool_choice.disable_parallel_tool_use",
    "output": "output_config.format",
    "thinking": "thinking",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "stop": "stop_sequences",
    "user": "metadata.user_id",
    "service_tier": "service_tier",
    "image": "messages.content.image",
    "file": "messages.content.document",
    "cache": "cache_control",
    "reasoning": "messages.content.thinking",
    "seal": "messages.content.thinking.signature",
    "tool_error": "messages.content.is_error",
    "tool_media": "messages.content.tool_result.content",
    "tool_strict": "tools.strict",
    "system_place": "messages.role.system",
    "prefill": "messages",
}
SERVER_NAMES: dict[str, str] = {
    **_SHARED,
    "citations": "messages.content.citations",
}
CLIENT_NAMES: dict[str, str] = {
    **_SHARED,
    "refusal": "messages.content.text",
    "developer": "system",
}
