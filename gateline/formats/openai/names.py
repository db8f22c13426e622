"""What OpenAI's formats call the features of a call."""

from __future__ import annotations

_SHARED = {
    "tools": "tools",
    "tool_choice": "tool_choice",
    "parallel_tools": "parallel_tool_calls",
    "output": "response_format",
    "temperature": "temperature",
    "top_p": "top_p",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "stop": "stop",
    "n": "n",
    "logprobs": "logprobs",
    "top_logprobs": "top_logprobs",
    "logit_bias": "logit_bias",
    "modalities": "modalities",
    "voice": "audio",
    "verbosity": "verbosity",
    "metadata": "metadata",
    "service_tier": "service_tier",
    "cache_key": "prompt_cache_key",
    "store": "store",
    "image": "messages.content.image_url",
    "audio": "messages.content.input_audio",
    "file": "messages.content.file",
    "refusal": "messages.refusal",
    "reasoning": "messages.reasoning_content",
    "seal": "messages.reasoning_details",
    "developer": "messages.role",
    "system_place": "messages.role.system",
    "name": "messages.name",
    "tool_strict": "tools.function.strict",
    "detail": "messages.content.image_url.detail",
}
SERVER_NAMES = {
    **_SHARED,
    "thinking": "reasoning_effort",
    "max_tokens": "max_completion_tokens",
    "top_k": "top_k",
    "seed": "seed",
    "user": "safety_identifier",
    "video": "messages.content.video_url",
    "cache": "messages.content.cache_control",
    "citations": "messages.annotations",
    "tool_media": "messages.content",
}
# Some only where the vendor's dialect has them: `thinking`, `reasoning`, `seal`, `cache`, `developer`.
CLIENT_NAMES = {
    **_SHARED,
    "thinking": "reasoning_effort",
    "max_tokens": "max_tokens",
    "seed": "seed",
    "user": "user",
    "cache": "messages.content.cache_control",
    "tool_media": "messages.content",
}
COMPLETION_NAMES = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "stop": "stop",
    "logit_bias": "logit_bias",
    "max_tokens": "max_tokens",
    "user": "user",
}
EMBEDDING_NAMES = {
    "dimensions": "dimensions",
    "encoding": "encoding_format",
    "user": "user",
}
