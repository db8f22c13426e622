"""Vendors that serve models of their own behind OpenAI's API, with what each does otherwise.

An operation stands in `speaks` only where all the vendor's models of its kind take it: for the others a call would pass
to an endpoint that refuses the model, where its translation would have been answered.
"""

from __future__ import annotations

from gateline.formats.dialect import Dialect
from gateline.providers.row import Row

# Fields that only OpenAI documents: elsewhere they mean nothing, and strict vendors answer them with 400 or 422.
OPENAI_ONLY = frozenset({"modalities", "voice", "verbosity", "metadata", "service_tier", "cache_key", "store"})
NO_LOGPROBS = frozenset({"logprobs", "top_logprobs"})
NO_PENALTIES = frozenset({"frequency_penalty", "presence_penalty"})
NO_FILES = frozenset({"audio", "file"})  # pictures are all they take besides text
TEXT_ALONE = NO_FILES | {"image", "tool_media"}
_GLM = Dialect(
    tool_choices=frozenset(),
    most_stops=1,
    top_temperature=1.0,
    thinking="thinking",
    schema=False,
    replays_reasoning=True,
    refuses=OPENAI_ONLY | NO_LOGPROBS | NO_PENALTIES | NO_FILES | {"n", "seed", "logit_bias", "parallel_tools", "user"},
)
_GLM_QUIRKS = (
    "Tools are chosen freely only (`tool_choice` is `auto`), one stop sequence is read, and JSON is asked for without "
    "a schema; the Anthropic-compatible endpoint is kind `anthropic` with the base URL "
)

MAKERS: dict[str, Row] = {
    "mistral": Row(
        title="Mistral",
        speaks=("chat.completions", "embeddings", "audio.transcriptions"),
        base_url="https://api.mistral.ai/v1",
        dialect=Dialect(
            seed="random_seed",
            stream_options=False,
            refuses=OPENAI_ONLY | NO_LOGPROBS | {"logit_bias", "user", "name", "file", "dimensions"},
        ),
        docs="https://docs.mistral.ai/api",
        quirks="A field it does not know is 422; streams end with usage without being asked.",
    ),
    "deepseek": Row(
        title="DeepSeek",
        speaks=("chat.completions", "messages", "responses"),
        base_url="https://api.deepseek.com",
        paths={"messages": "/anthropic/v1/messages"},
        dialect=Dialect(
            thinking="thinking",
            schema=False,
            replays_reasoning=True,
            refuses=OPENAI_ONLY | NO_FILES | {"n", "logit_bias"},
            maker="deepseek",
        ),
        docs="https://api-docs.deepseek.com",
        quirks="Thinks unless told not to, and then wants the reasoning of every turn that called tools back; "
        "JSON without a schema.",
    ),
    "xai": Row(
        title="xAI",
        speaks=("chat.completions", "responses", "images.generations"),
        base_url="https://api.x.ai/v1",
        dialect=Dialect(
            max_tokens="max_completion_tokens",
            thinking="reasoning_effort",
            refuses=OPENAI_ONLY | NO_PENALTIES | NO_FILES | {"stop", "logit_bias"},
            maker="xai",
        ),
        docs="https://docs.x.ai/developers/rest-api-reference",
        quirks="Reasoning models refuse stop sequences and penalties; a refused key is status 400.",
    ),
    "perplexity": Row(
        title="Perplexity",
        base_url="https://api.perplexity.ai",
        dialect=Dialect(
            thinking="reasoning_effort",
            stream_options=False,
            ends_without_done=True,
            refuses=OPENAI_ONLY
            | NO_LOGPROBS
            | {"tools", "tool_choice", "parallel_tools", "n", "logit_bias", "seed", "user", "name", "audio"},
        ),
        free="",
        docs="https://docs.perplexity.ai/api-reference",
        quirks="No tools of the caller's; usage is in every event; streams may end without `[DONE]`; JSON needs a "
        "schema; its embeddings are packed integers, reached by `/passthrough`.",
    ),
    "moonshot": Row(
        title="Moonshot (Kimi)",
        base_url="https://api.moonshot.ai/v1",
        dialect=Dialect(
            thinking="thinking",
            schema=False,
            replays_reasoning=True,
            tool_choices=frozenset({"none"}),
            top_temperature=1.0,
            refuses=(OPENAI_ONLY - {"cache_key"}) | NO_LOGPROBS | NO_FILES | {"logit_bias", "seed", "parallel_tools"},
        ),
        docs="https://platform.moonshot.ai/docs/api/chat",
        quirks="`tool_choice: required` is refused; wants reasoning back with tool calls; in China the base URL is "
        "https://api.moonshot.cn/v1.",
    ),
    "zhipu": Row(
        title="Zhipu (GLM, China)",
        speaks=("chat.completions", "embeddings", "images.generations"),
        base_url="https://open.bigmodel.cn/api/paas/v4",
        dialect=_GLM,
        free="",
        docs="https://docs.bigmodel.cn/api-reference",
        quirks=_GLM_QUIRKS + "https://open.bigmodel.cn/api/anthropic/v1.",
    ),
    "zai": Row(
        title="Z.ai (GLM, international)",
        base_url="https://api.z.ai/api/paas/v4",
        dialect=_GLM,
        free="",
        docs="https://docs.z.ai/api-reference",
        quirks=_GLM_QUIRKS + "https://api.z.ai/api/anthropic/v1; coding plans live at "
        "https://api.z.ai/api/coding/paas/v4.",
    ),
    "dashscope": Row(
        title="Alibaba Model Studio (Qwen, DashScope)",
        speaks=("chat.completions", "embeddings"),
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        dialect=Dialect(
            thinking="enable_thinking",
            cache_control=True,
            refuses=(OPENAI_ONLY - {"modalities", "voice"}) | {"file", "logit_bias", "user", "name"},
        ),
        free="",
        docs="https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
        quirks="Some open models think in streams only; in China the host is dashscope.aliyuncs.com, and keys of one "
        "region mean nothing in another.",
    ),
    "minimax": Row(
        title="MiniMax",
        base_url="https://api.minimax.io/v1",
        dialect=Dialect(
            schema=False,
            refuses=OPENAI_ONLY | NO_LOGPROBS | NO_PENALTIES | NO_FILES | {"n", "logit_bias", "seed", "user"},
        ),
        free="",
        docs="https://platform.minimax.io/docs/api-reference/text-openai-api",
        quirks="Reasoning stands in the text between `<think>` tags; apart at the Anthropic-compatible endpoint, "
        "kind `anthropic` with the base URL https://api.minimax.io/anthropic/v1; in China the host is "
        "api.minimaxi.com, and keys of one mean nothing to the other.",
    ),
    "baichuan": Row(
        title="Baichuan",
        speaks=("chat.completions", "embeddings"),
        base_url="https://api.baichuan-ai.com/v1",
        dialect=Dialect(
            schema=False,
            stream_options=False,
            top_temperature=1.0,
            refuses=OPENAI_ONLY
            | NO_LOGPROBS
            | NO_PENALTIES
            | TEXT_ALONE
            | {"n", "seed", "stop", "logit_bias", "parallel_tools", "user", "name", "dimensions"},
        ),
        free="",
        docs="https://platform.baichuan-ai.com/docs/api",
        quirks="Temperatures go up to 1; an empty account is 429, as too many calls are.",
    ),
    "volcengine": Row(
        title="Volcengine Ark (Doubao)",
        speaks=("chat.completions", "embeddings", "images.generations"),
        base_url="https://ark.cn-beijing.volces.com/api/v3",
        dialect=Dialect(thinking="thinking", refuses=OPENAI_ONLY | NO_FILES | {"user", "seed"}),
        free="",
        docs="https://www.volcengine.com/docs/82379/1494384",
        quirks="The model is its name or the id of an endpoint (`ep-…`).",
    ),
    "hunyuan": Row(
        title="Tencent Hunyuan",
        speaks=("chat.completions", "embeddings"),
        base_url="https://api.hunyuan.cloud.tencent.com/v1",
        dialect=Dialect(
            schema=False,
            stream_options=False,
            refuses=OPENAI_ONLY
            | NO_LOGPROBS
            | NO_PENALTIES
            | NO_FILES
            | {"n", "logit_bias", "parallel_tools", "user", "name", "dimensions"},
        ),
        free="",
        docs="https://cloud.tencent.com/document/product/1729/111007",
        quirks="Usage is in every event of a stream; TokenHub, which serves others' models too, has a base URL of its "
        "own.",
    ),
    "stepfun": Row(
        title="StepFun",
        speaks=("chat.completions", "audio.speech", "audio.transcriptions", "images.generations"),
        base_url="https://api.stepfun.com/v1",
        dialect=Dialect(
            schema=False,
            refuses=OPENAI_ONLY | NO_LOGPROBS | {"logit_bias", "seed", "parallel_tools", "file", "user"},
        ),
        docs="https://platform.stepfun.com/docs/api-reference",
        quirks="Outside China the base URL is https://api.stepfun.ai/v1, of Step Plans "
        "https://api.stepfun.com/step_plan/v1; reasoning comes as `reasoning`.",
    ),
    "ai21": Row(
        title="AI21",
        base_url="https://api.ai21.com/studio/v1",
        dialect=Dialect(
            schema=False,
            stream_options=False,
            refuses=OPENAI_ONLY
            | NO_LOGPROBS
            | NO_PENALTIES
            | TEXT_ALONE
            | {"logit_bias", "parallel_tools", "user", "name"},
        ),
        free="",
        docs="https://docs.ai21.com/reference",
        quirks="A field it does not know is 422; streams end with usage without being asked.",
    ),
    "upstage": Row(
        title="Upstage (Solar)",
        speaks=("chat.completions", "embeddings"),
        base_url="https://api.upstage.ai/v1",
        dialect=Dialect(
            thinking="reasoning_effort",
            refuses=OPENAI_ONLY | NO_LOGPROBS | NO_FILES | {"logit_bias", "n", "seed", "user", "dimensions"},
        ),
        free="",
        docs="https://console.upstage.ai/docs/capabilities/generate/chat",
        quirks="Reasoning is off unless an effort is asked for; queries and passages are embedded by models of their "
        "own.",
    ),
    "voyage": Row(
        title="Voyage AI",
        speaks=("embeddings", "rerank"),
        base_url="https://api.voyageai.com/v1",
        dialect=Dialect(refuses=frozenset({"dimensions", "user"}), rerank="voyage"),
        free="",
        docs="https://docs.voyageai.com/reference/embeddings-api",
        quirks="`encoding_format` is `base64` or left out, sizes are `output_dimension`; its rerank is translated from "
        "and to Cohere's shape.",
    ),
    "jina": Row(
        title="Jina AI",
        speaks=("embeddings", "rerank"),
        base_url="https://api.jina.ai/v1",
        dialect=Dialect(refuses=frozenset({"user"})),
        free="",
        docs="https://api.jina.ai/docs",
        quirks="Pictures are embedded too, in `input` objects of its own.",
    ),
}
