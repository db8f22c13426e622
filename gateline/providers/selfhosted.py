"""Servers that one runs oneself behind OpenAI's API, with what each does otherwise.

One that documents a port of its own has it here, on `localhost`, which egress takes for named by whoever chose the
kind. llama.cpp and LocalAI would be at 8080, which is the gateway's own: of them the configuration says where they are.
"""

from __future__ import annotations

from gateline.formats.dialect import Dialect
from gateline.model.call import Operation
from gateline.providers import reroutes
from gateline.providers.makers import OPENAI_ONLY
from gateline.providers.row import OPENAI_TEXT, Row

_EVERYTHING: tuple[Operation, ...] = (
    *OPENAI_TEXT, "responses", "messages", "moderations", "rerank", "images.generations", "audio.transcriptions",
    "audio.speech",
)  # fmt: skip
_REFUSED = OPENAI_ONLY | {"file"}

SELF_HOSTED: dict[str, Row] = {
    "vllm": Row(
        title="vLLM",
        speaks=(*OPENAI_TEXT, "responses", "messages", "rerank", "audio.transcriptions", "audio.translations"),
        base_url="http://localhost:8000/v1",
        dialect=Dialect(thinking="reasoning_effort", refuses=_REFUSED, maker="vllm"),
        docs="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
        quirks="One model a server, and only what its kind can do; a key is wanted only with `--api-key`.",
    ),
    "sglang": Row(
        title="SGLang",
        speaks=OPENAI_TEXT,
        base_url="http://localhost:30000/v1",
        dialect=Dialect(thinking="reasoning_effort", refuses=_REFUSED),
        routed_by=reroutes.SGLANG,
        docs="https://docs.sglang.ai/basic_usage/openai_api.html",
        quirks="Its rerank answers in a shape of its own.",
    ),
    "tgi": Row(
        title="Text Generation Inference",
        speaks=("chat.completions", "completions"),
        dialect=Dialect(refuses=OPENAI_ONLY | {"audio", "file", "parallel_tools", "user", "name"}),
        docs="https://huggingface.co/docs/text-generation-inference/messages_api",
        quirks="One model a server, whatever the call names; errors are `{error, error_type}`.",
    ),
    "lmstudio": Row(
        title="LM Studio",
        speaks=(*OPENAI_TEXT, "responses", "messages"),
        base_url="http://localhost:1234/v1",
        dialect=Dialect(refuses=_REFUSED, maker="lmstudio"),
        docs="https://lmstudio.ai/docs/developer/openai-compat",
        quirks="A model is loaded by its first call.",
    ),
    "llamacpp": Row(
        title="llama.cpp server",
        speaks=(*OPENAI_TEXT, "messages", "rerank"),
        dialect=Dialect(refuses=_REFUSED, maker="llamacpp"),
        docs="https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
        quirks="503 while its model loads; embeddings and rerank want `--embedding` and `--reranking`.",
    ),
    "localai": Row(
        title="LocalAI",
        speaks=(*OPENAI_TEXT, "rerank", "images.generations", "audio.transcriptions", "audio.speech"),
        dialect=Dialect(refuses=_REFUSED),
        docs="https://localai.io/features",
        quirks="What a model can do depends on its backend.",
    ),
    "litellm": Row(
        title="LiteLLM proxy",
        speaks=_EVERYTHING,
        base_url="http://localhost:4000/v1",
        dialect=Dialect(thinking="reasoning_effort", cache_control=True, maker="litellm"),
        routed_by=reroutes.LITELLM,
        docs="https://docs.litellm.ai/docs/simple_proxy",
        quirks="Whatever its own configuration serves; `gateline import litellm` takes that over.",
    ),
}
