"""Vendors that serve models of others behind OpenAI's API, with what each does otherwise. See `makers.py`."""

from __future__ import annotations

from gateline.formats.dialect import Dialect
from gateline.model.call import Operation
from gateline.providers import reroutes
from gateline.providers.makers import NO_FILES, NO_LOGPROBS, NO_PENALTIES, OPENAI_ONLY
from gateline.providers.row import OPENAI_TEXT, Row

_AUDIO: tuple[Operation, ...] = ("audio.transcriptions", "audio.translations", "audio.speech")

HOSTS: dict[str, Row] = {
    "groq": Row(
        title="Groq",
        speaks=("chat.completions", "responses", *_AUDIO),
        base_url="https://api.groq.com/openai/v1",
        dialect=Dialect(
            max_tokens="max_completion_tokens",
            thinking="reasoning_effort",
            refuses=OPENAI_ONLY | NO_LOGPROBS | NO_FILES | {"logit_bias", "n", "name"},
            maker="groq",
        ),
        routed_by=reroutes.GROQ,
        docs="https://console.groq.com/docs/openai",
        quirks="Log probabilities, `logit_bias`, names of participants and `n` above 1 are 400.",
    ),
    "together": Row(
        title="Together AI",
        speaks=(*OPENAI_TEXT, "rerank", "images.generations", *_AUDIO),
        base_url="https://api.together.xyz/v1",
        dialect=Dialect(
            thinking="reasoning_effort", refuses=OPENAI_ONLY | {"file", "parallel_tools", "user", "dimensions"}
        ),
        docs="https://docs.together.ai/reference/chat-completions-1",
        quirks="Models with a thinking switch ignore levels of effort.",
    ),
    "fireworks": Row(
        title="Fireworks AI",
        speaks=(*OPENAI_TEXT, "responses", "messages"),
        base_url="https://api.fireworks.ai/inference/v1",
        dialect=Dialect(
            thinking="reasoning_effort",
            refuses=(OPENAI_ONLY - {"cache_key", "service_tier"}) | {"file"},
            maker="fireworks",
        ),
        docs="https://docs.fireworks.ai/api-reference/post-chatcompletions",
        quirks="Models are `accounts/fireworks/models/…`; its rerank has a shape of its own.",
    ),
    "openrouter": Row(
        title="OpenRouter",
        speaks=(*OPENAI_TEXT, "messages", "responses", "rerank"),
        base_url="https://openrouter.ai/api/v1",
        dialect=Dialect(thinking="reasoning", seals="reasoning_details", cache_control=True, maker="openrouter"),
        free="/key",
        routed_by=reroutes.OPENROUTER,
        docs="https://openrouter.ai/docs/api-reference/overview",
        quirks="Models are `maker/model`; what a model cannot is left out rather than refused; a failure of the host "
        "behind it comes inside the stream.",
    ),
    "cerebras": Row(
        title="Cerebras",
        speaks=("chat.completions", "completions"),
        base_url="https://api.cerebras.ai/v1",
        dialect=Dialect(
            max_tokens="max_completion_tokens",
            thinking="reasoning_effort",
            refuses=OPENAI_ONLY | NO_PENALTIES | NO_FILES | {"logit_bias", "parallel_tools"},
        ),
        docs="https://inference-docs.cerebras.ai/resources/openai",
        quirks="Penalties, `logit_bias` and `parallel_tool_calls` are 400; the role `system` weighs as `developer` "
        "does elsewhere.",
    ),
    "sambanova": Row(
        title="SambaNova",
        speaks=("chat.completions", "embeddings", "audio.transcriptions"),
        base_url="https://api.sambanova.ai/v1",
        dialect=Dialect(
            thinking="reasoning_effort",
            refuses=OPENAI_ONLY | NO_LOGPROBS | NO_PENALTIES | {"file", "n", "logit_bias", "seed"},
        ),
        free="",
        docs="https://docs.sambanova.ai/docs/en/features/openai-compatibility",
        quirks="Penalties, seeds, log probabilities and `n` are ignored.",
    ),
    "nvidia": Row(
        title="NVIDIA NIM",
        speaks=("chat.completions", "embeddings"),
        base_url="https://integrate.api.nvidia.com/v1",
        dialect=Dialect(refuses=OPENAI_ONLY | NO_FILES | {"n", "user", "name", "logit_bias"}),
        free="",
        docs="https://docs.api.nvidia.com/nim/reference",
        quirks="A field that a model does not know is refused; embeddings of passages and queries want `input_type`; a "
        "NIM of one's own is this kind with a base URL.",
    ),
    "huggingface": Row(
        title="Hugging Face Inference Providers",
        base_url="https://router.huggingface.co/v1",
        dialect=Dialect(thinking="reasoning_effort", refuses=OPENAI_ONLY | NO_FILES, ends_without_done=True),
        free="",
        docs="https://huggingface.co/docs/inference-providers",
        quirks="`model:provider` chooses the host, `:fastest` and `:cheapest` a policy; errors may be plain strings.",
    ),
    "deepinfra": Row(
        title="DeepInfra",
        speaks=(*OPENAI_TEXT, "images.generations", *_AUDIO),
        base_url="https://api.deepinfra.com/v1/openai",
        dialect=Dialect(thinking="reasoning_effort", refuses=OPENAI_ONLY | NO_FILES | {"parallel_tools"}),
        free="",
        docs="https://docs.deepinfra.com",
    ),
    "novita": Row(
        title="Novita AI",
        speaks=OPENAI_TEXT,
        base_url="https://api.novita.ai/openai/v1",
        dialect=Dialect(refuses=OPENAI_ONLY | NO_FILES | {"parallel_tools", "user"}),
        free="",
        docs="https://novita.ai/docs/guides/llm-api",
        quirks="Errors are `{code, reason, message}` without an envelope.",
    ),
    "hyperbolic": Row(
        title="Hyperbolic",
        base_url="https://api.hyperbolic.xyz/v1",
        dialect=Dialect(refuses=OPENAI_ONLY | NO_FILES | {"parallel_tools", "name"}),
        docs="https://docs.hyperbolic.ai",
        quirks="Models without chat are asked for by `/passthrough`, at `/completions`.",
    ),
    "nebius": Row(
        title="Nebius Token Factory",
        speaks=(*OPENAI_TEXT, "images.generations"),
        base_url="https://api.tokenfactory.nebius.com/v1",
        dialect=Dialect(thinking="reasoning_effort", refuses=OPENAI_ONLY | NO_FILES),
        docs="https://docs.tokenfactory.nebius.com/api-reference/introduction",
        quirks="Formerly Nebius AI Studio.",
    ),
    "siliconflow": Row(
        title="SiliconFlow",
        speaks=("chat.completions", "embeddings", "rerank", "audio.transcriptions", "audio.speech"),
        base_url="https://api.siliconflow.com/v1",
        dialect=Dialect(
            thinking="enable_thinking",
            refuses=OPENAI_ONLY | NO_LOGPROBS | {"file", "logit_bias", "parallel_tools", "user"},
        ),
        docs="https://docs.siliconflow.com/en/api-reference",
        quirks="Thinking budgets are 128 to 32768 tokens; errors are `{code, message, data}` or a bare string; in "
        "China the base URL is https://api.siliconflow.cn/v1.",
    ),
    "databricks": Row(
        title="Databricks",
        speaks=("chat.completions", "embeddings"),
        base_url="https://{workspace}/serving-endpoints",
        dialect=Dialect(
            thinking="reasoning_effort",
            stream_options=False,
            refuses=OPENAI_ONLY | NO_FILES | {"seed", "logit_bias", "parallel_tools", "user", "name"},
        ),
        options=("workspace",),
        free="",
        docs="https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference",
        quirks="The model is the name of a serving endpoint, the workspace its host, such as "
        "`dbc-a1b2.cloud.databricks.com`; usage is in every event; errors are `{error_code, message}`.",
    ),
    "snowflake": Row(
        title="Snowflake Cortex",
        base_url="https://{account}.snowflakecomputing.com/api/v2/cortex/v1",
        dialect=Dialect(
            max_tokens="max_completion_tokens",
            thinking="reasoning_effort",
            refuses=OPENAI_ONLY
            | NO_LOGPROBS
            | NO_FILES
            | {"n", "seed", "logit_bias", "parallel_tools", "user", "name"},
        ),
        options=("account",),
        free="",
        docs="https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api",
        quirks="The key is a programmatic access token; Claude models take a schema, never a bare JSON object.",
    ),
    "cloudflare": Row(
        title="Cloudflare Workers AI",
        speaks=("chat.completions", "embeddings"),
        base_url="https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1",
        dialect=Dialect(refuses=OPENAI_ONLY | NO_LOGPROBS | NO_FILES | {"n", "logit_bias", "parallel_tools", "user"}),
        options=("account",),
        free="",
        routed_by=reroutes.CLOUDFLARE,
        docs="https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility",
        quirks="Models are `@cf/…`; errors are Cloudflare's `errors` list.",
    ),
    "watsonx": Row(
        title="IBM watsonx.ai model gateway",
        speaks=("chat.completions", "embeddings"),
        issuer="ibm",
        base_url="https://{region}.ml.cloud.ibm.com/ml/gateway/v1",
        dialect=Dialect(refuses=OPENAI_ONLY | NO_FILES),
        options=("region",),
        free="",
        docs="https://www.ibm.com/docs/en/watsonx/saas?topic=generation-inferencing-gateway-models",
        quirks="The key is exchanged for tokens beside the path; models are those the gateway was set up with; errors "
        "are an `errors` list.",
    ),
}
