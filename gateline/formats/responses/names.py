"""What the Responses API calls the features of a chat. A feature that is not here has no place in it."""

from __future__ import annotations

_SHARED: dict[str, str] = {
    "tools": "tools",
    "tool_choice": "tool_choice",
    "parallel_tools": "parallel_tool_calls",
    "output": "text.format",
    "thinking": "reasoning",
    "max_tokens": "max_output_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "logprobs": "include.message.output_text.logprobs",
    "top_logprobs": "top_logprobs",
    "verbosity": "text.verbosity",
    "metadata": "metadata",
    "user": "safety_identifier",
    "service_tier": "service_tier",
    "cache_key": "prompt_cache_key",
    "image": "input_image",
    "file": "input_file",
    "refusal": "refusal",
    "tool_media": "function_call_output.output",
    "developer": "developer",
    "system_place": "input.role.system",
    "tool_strict": "tools.strict",
    "detail": "input_image.detail",
    "summary": "reasoning.summary",
}
# What a client of this format calls them. `store` is no feature of a chat here: the gateway keeps responses itself.
SERVER_NAMES: dict[str, str] = {
    **_SHARED,
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "audio": "input_audio",
    "video": "input_video",
    "cache": "prompt_cache_breakpoint",
    "citations": "annotations",
    "reasoning": "input.reasoning",
    "seal": "input.reasoning.encrypted_content",
}
# What a vendor of this format calls what is sent to it.
CLIENT_NAMES: dict[str, str] = {
    **_SHARED,
    "store": "store",
    "reasoning": "reasoning",
    "seal": "reasoning.encrypted_content",
}
