"""What Converse calls the features of a chat."""

from __future__ import annotations

_NAMES: dict[str, str] = {
    "tools": "toolConfig.tools",
    "tool_choice": "toolConfig.toolChoice",
    "output": "outputConfig.textFormat",
    "thinking": "additionalModelRequestFields.thinking",
    "max_tokens": "inferenceConfig.maxTokens",
    "temperature": "inferenceConfig.temperature",
    "top_p": "inferenceConfig.topP",
    "top_k": "additionalModelRequestFields.top_k",
    "stop": "inferenceConfig.stopSequences",
    "metadata": "requestMetadata",
    "service_tier": "serviceTier",
    "image": "messages.content.image",
    "audio": "messages.content.audio",
    "video": "messages.content.video",
    "file": "messages.content.document",
    "cache": "cachePoint",
    "reasoning": "messages.content.reasoningContent",
    "seal": "messages.content.reasoningContent.signature",
    "tool_error": "messages.content.toolResult.status",
    "tool_media": "messages.content.toolResult.content",
    "tool_strict": "toolConfig.tools.toolSpec.strict",
    "prefill": "messages",
}
SERVER_NAMES: dict[str, str] = {
    **_NAMES,
    "citations": "messages.content.citationsContent",
    "system_place": "messages.role.system",
}
CLIENT_NAMES: dict[str, str] = {**_NAMES, "refusal": "messages.content.text", "developer": "system"}
