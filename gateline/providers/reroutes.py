"""Fields of a body with which its sender chooses another model, host or account at the vendor than the configured one.

Names are in lower case. Sources: openrouter.ai/docs ("Model fallbacks", "Provider routing", "Presets", "Plugins"),
docs.litellm.ai ("Clientside LLM credentials", "Fallbacks"), vercel.com/docs/ai-gateway ("Model fallbacks"),
platform.claude.com/docs ("Server-side fallback"), console.groq.com/docs ("Compound": custom models),
developers.cloudflare.com/workers-ai ("Fine-tunes"), docs.sglang.ai ("LoRA serving").
"""

from __future__ import annotations

ANTHROPIC = frozenset({"fallbacks"})
GROQ = frozenset({"compound_custom"})
CLOUDFLARE = frozenset({"lora"})
SGLANG = frozenset({"lora_path"})
OPENROUTER = frozenset({"models", "route", "provider", "preset", "plugins", "fallbacks"})
LITELLM = frozenset({
    "fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "context_window_fallback_dict", "model_list",
    "user_config", "custom_llm_provider", "deployment_id", "specific_deployment", "litellm_params",
    "api_base", "base_url", "api_key", "api_version", "organization", "extra_body", "extra_headers", "headers",
    "litellm_credential_name", "region_name", "azure_ad_token", "vertex_project", "vertex_location",
    "vertex_credentials", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_region_name",
    "aws_role_name", "aws_session_name", "aws_profile_name", "aws_web_identity_token", "aws_sts_endpoint",
    "aws_bedrock_runtime_endpoint",
})  # fmt: skip
_VERCEL = frozenset({"models", "provideroptions"})

# An address that only the operator knows may be any of these.
ANY = OPENROUTER | LITELLM | _VERCEL | CLOUDFLARE | SGLANG
