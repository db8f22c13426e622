"""LiteLLM's names of vendors (docs.litellm.ai/docs/providers), and which of our kinds each is."""

from __future__ import annotations

from typing import Final, NamedTuple


class Known(NamedTuple):
    """`variable` is where LiteLLM looks for a key that the configuration does not name; empty: it can do without."""

    kind: str
    variable: str = ""


PREFIXES: Final[dict[str, Known]] = {
    "ai21": Known("ai21", "AI21_API_KEY"),
    "ai21_chat": Known("ai21", "AI21_API_KEY"),
    "anthropic": Known("anthropic", "ANTHROPIC_API_KEY"),
    "azure": Known("azure", "AZURE_API_KEY"),
    "bedrock": Known("bedrock"),
    "bedrock_converse": Known("bedrock"),
    "cerebras": Known("cerebras", "CEREBRAS_API_KEY"),
    "cohere": Known("cohere", "COHERE_API_KEY"),
    "cohere_chat": Known("cohere", "COHERE_API_KEY"),
    "custom_openai": Known("openai-compatible"),
    "dashscope": Known("dashscope", "DASHSCOPE_API_KEY"),
    "databricks": Known("databricks", "DATABRICKS_API_KEY"),
    "deepinfra": Known("deepinfra", "DEEPINFRA_API_KEY"),
    "deepseek": Known("deepseek", "DEEPSEEK_API_KEY"),
    "fireworks_ai": Known("fireworks", "FIREWORKS_API_KEY"),
    "gemini": Known("gemini", "GEMINI_API_KEY"),
    "groq": Known("groq", "GROQ_API_KEY"),
    "hosted_vllm": Known("vllm"),
    "huggingface": Known("huggingface", "HUGGINGFACE_API_KEY"),
    "hyperbolic": Known("hyperbolic", "HYPERBOLIC_API_KEY"),
    "jina_ai": Known("jina", "JINA_AI_API_KEY"),
    "litellm_proxy": Known("litellm", "LITELLM_PROXY_API_KEY"),
    "llamafile": Known("openai-compatible"),
    "lm_studio": Known("lmstudio"),
    "minimax": Known("minimax", "MINIMAX_API_KEY"),
    "mistral": Known("mistral", "MISTRAL_API_KEY"),
    "moonshot": Known("moonshot", "MOONSHOT_API_KEY"),
    "nebius": Known("nebius", "NEBIUS_API_KEY"),
    "novita": Known("novita", "NOVITA_API_KEY"),
    "nvidia_nim": Known("nvidia", "NVIDIA_NIM_API_KEY"),
    "ollama": Known("ollama"),
    "ollama_chat": Known("ollama"),
    "openai": Known("openai", "OPENAI_API_KEY"),
    "openai_like": Known("openai-compatible"),
    "openrouter": Known("openrouter", "OPENROUTER_API_KEY"),
    "perplexity": Known("perplexity", "PERPLEXITYAI_API_KEY"),
    "sambanova": Known("sambanova", "SAMBANOVA_API_KEY"),
    "snowflake": Known("snowflake", "SNOWFLAKE_JWT"),
    "text-completion-openai": Known("openai", "OPENAI_API_KEY"),
    "together_ai": Known("together", "TOGETHERAI_API_KEY"),
    "vertex_ai": Known("vertex"),
    "vertex_ai_beta": Known("vertex"),
    "vllm": Known("vllm"),
    "volcengine": Known("volcengine", "VOLCENGINE_API_KEY"),
    "voyage": Known("voyage", "VOYAGE_API_KEY"),
    "xai": Known("xai", "XAI_API_KEY"),
    "zai": Known("zai", "ZAI_API_KEY"),
}
# Vendors that a model's own name gives away, where no prefix does.
_BEGINNINGS: Final = (
    ("gpt-", "openai"), ("chatgpt-", "openai"), ("o1", "openai"), ("o3", "openai"), ("o4", "openai"),
    ("text-embedding-", "openai"), ("dall-e", "openai"), ("whisper-", "openai"), ("tts-", "openai"),
    ("omni-moderation", "openai"), ("claude-", "anthropic"), ("command-", "cohere"), ("gemini-", "vertex_ai"),
)  # fmt: skip
# Where OpenAI itself lives: an `openai/` model at any other address is a server that only speaks its format.
OPENAI_HOSTS: Final = frozenset({"api.openai.com", "us.api.openai.com", "eu.api.openai.com"})


def parted(model: str, provider: str = "") -> tuple[str, str]:
    """LiteLLM's name of the vendor and the vendor's of the model; the first is empty where nothing says it."""
    prefix, slash, rest = model.partition("/")
    if provider:
        return provider, rest if slash and prefix == provider else model
    if slash and prefix in PREFIXES:
        return prefix, rest
    if not slash:
        return next((vendor for begin, vendor in _BEGINNINGS if model.startswith(begin)), ""), model
    return (prefix, rest) if slash else ("", model)
