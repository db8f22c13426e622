"""What features are called in Gemini's format."""

from __future__ import annotations

_SAMPLING = {
    "output": "generationConfig.responseJsonSchema",
    "thinking": "generationConfig.thinkingConfig",
    "max_tokens": "generationConfig.maxOutputTokens",
    "temperature": "generationConfig.temperature",
    "top_p": "generationConfig.topP",
    "top_k": "generationConfig.topK",
    "frequency_penalty": "generationConfig.frequencyPenalty",
    "presence_penalty": "generationConfig.presencePenalty",
    "seed": "generationConfig.seed",
    "stop": "generationConfig.stopSequences",
    "n": "generationConfig.candidateCount",
    "logprobs": "generationConfig.responseLogprobs",
    "top_logprobs": "generationConfig.logprobs",
    "modalities": "generationConfig.responseModalities",
}
_PARTS = {
    "tools": "tools.functionDeclarations",
    "tool_choice": "toolConfig.functionCallingConfig",
    "service_tier": "serviceTier",
    "image": "inlineData",
    "audio": "inlineData",
    "video": "inlineData",
    "file": "inlineData",
    "prefill": "contents",
    "reasoning": "thought",
    "seal": "thoughtSignature",
    "tool_error": "functionResponse.response.error",
    "tool_media": "functionResponse.parts",
}

# Labels are what clients of Vertex AI call metadata.
SERVER_NAMES: dict[str, str] = {**_PARTS, **_SAMPLING, "metadata": "labels", "system_place": "contents.role.system"}

# Labels allow so little (lower case, 63 characters) that metadata of others would be answered with 400.
CLIENT_NAMES: dict[str, str] = {**_PARTS, **_SAMPLING, "developer": "systemInstruction", "refusal": "text"}

EMBED_NAMES: dict[str, str] = {
    "inputs": "content",
    "dimensions": "outputDimensionality",
    "purpose": "taskType",
    "title": "title",
}
COUNT_NAMES: dict[str, str] = {name: SERVER_NAMES[name] for name in _PARTS}
