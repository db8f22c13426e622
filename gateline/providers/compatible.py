"""The vendors whose API is OpenAI's, with what each does otherwise."""

from __future__ import annotations

from gateline.providers.row import OPENAI_TEXT, Row

COMPATIBLE: dict[str, Row] = {
    "mistral": Row(
        title="Mistral",
        speaks=("chat.completions", "embeddings"),
        base_url="https://api.mistral.ai/v1",
        docs="https://docs.mistral.ai/api",
    ),
    "groq": Row(title="Groq", base_url="https://api.groq.com/openai/v1", docs="https://console.groq.com/docs"),
    "vllm": Row(title="vLLM", speaks=OPENAI_TEXT, docs="https://docs.vllm.ai"),
}
