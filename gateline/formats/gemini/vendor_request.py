"""Neutral calls as the bodies of `generateContent` and `countTokens`, for a Gemini model."""

from __future__ import annotations

import msgspec

from gateline.formats.contract import Written
from gateline.formats.dialect import Dialect
from gateline.formats.features import FIELDS, left_inside, left_out
from gateline.formats.gemini.content import ABSENT, Content
from gateline.formats.gemini.contents import ContentWriter
from gateline.formats.gemini.names import CLIENT_NAMES
from gateline.formats.gemini.request import CallingConfig, Declaration, GenerationConfig, ToolConfig, Tools
from gateline.formats.gemini.thinking import generation, write_thinking
from gateline.model.chat import Chat, Tool
from gateline.model.vectors import Count

_MOST_STOPS = 5  # ai.google.dev/api/generate-content#GenerationConfig
_INT32 = range(-(2**31), 2**31)
_TIERS = {"default": "standard", "standard": "standard", "flex": "flex", "priority": "priority"}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_UNSET = Chat(model="", turns=[])
_encode = msgspec.json.Encoder().encode


class Request(msgspec.Struct, rename="camel", omit_defaults=True):
    contents: list[Content]
    system_instruction: Content | None = None
    tools: list[Tools] | None = None
    tool_config: ToolConfig | None = None
    generation_config: GenerationConfig | None = None
    service_tier: str | None = None
    model: str | None = None


class _Wrapped(msgspec.Struct, rename="camel"):
    generate_content_request: Request


def write_chat(chat: Chat, model: str, dialect: Dialect) -> Written:
    chat, dropped = _without(chat, dialect.refuses)
    request = _request(chat, model, dropped)
    config = _sampling(chat, model, dropped)
    if config != _NOTHING:
        request.generation_config = config
    if chat.service_tier:
        request.service_tier = _TIERS.get(chat.service_tier)
        if request.service_tier is None:
            dropped["service_tier"] = None
    return Written(_encode(request), list(dropped))


def write_count(count: Count, model: str, dialect: Dialect) -> Written:
    """Alone, `contents` is understood by the Gemini API and Vertex AI both; with a system instruction or tools, the
    former wants the request inside, with the model's name."""
    dropped: dict[str, None] = {}
    request = _request(count.chat, model, dropped)
    if request.system_instruction is None and request.tools is None:
        return Written(_encode(request), list(dropped))
    request.tool_config = None
    request.model = model if "/" in model else f"models/{model}"
    return Written(_encode(_Wrapped(request)), list(dropped))


def _request(chat: Chat, model: str, dropped: dict[str, None]) -> Request:
    writer = ContentWriter(model)
    contents, system = writer.write(chat)
    request = Request(contents, system)
    dropped.update(dict.fromkeys(left_inside(chat, CLIENT_NAMES)))
    for feature in left_out(chat, CLIENT_NAMES):
        if not (feature == "parallel_tools" and chat.parallel_tools):  # it may always call several
            dropped[feature] = None
    dropped.update(writer.dropped)
    if chat.tools:
        _add_tools(request, chat)
    elif chat.tool_choice is not None:
        dropped["tool_choice"] = None  # without declarations it is answered with 400
    return request


def _without(chat: Chat, refused: frozenset[str]) -> tuple[Chat, dict[str, None]]:
    """The chat without what this vendor refuses, and the names of what was taken out."""
    dropped: dict[str, None] = {}
    for feature in FIELDS if refused else ():
        unset = getattr(_UNSET, feature)
        if feature in refused and getattr(chat, feature) != unset:
            chat = msgspec.structs.replace(chat, **{feature: unset})
            dropped[feature] = None
    return chat, dropped


def _add_tools(request: Request, chat: Chat) -> None:
    choice = chat.tool_choice
    tools = chat.tools
    if choice is not None and choice.mode == "auto" and choice.names:
        # Names narrow only ANY: of the others, a model that may choose is not told.
        tools = [tool for tool in tools if tool.name in choice.names] or tools
    request.tools = [Tools([_declaration(tool) for tool in tools])]
    if choice is not None:
        names = choice.names if choice.mode == "required" else []
        request.tool_config = ToolConfig(CallingConfig(_MODES[choice.mode], names or None))


def _declaration(tool: Tool) -> Declaration:
    schema = ABSENT if tool.schema == ABSENT else tool.schema  # a field is left out by identity
    return Declaration(tool.name, tool.description or None, parameters_json_schema=schema)


def _sampling(chat: Chat, model: str, dropped: dict[str, None]) -> GenerationConfig:
    config = GenerationConfig(
        temperature=chat.temperature,
        top_p=chat.top_p,
        top_k=chat.top_k,
        max_output_tokens=chat.max_tokens,
        candidate_count=chat.n if chat.n != 1 else None,
        presence_penalty=chat.presence_penalty,
        frequency_penalty=chat.frequency_penalty,
    )
    if chat.stop:
        config.stop_sequences = chat.stop[:_MOST_STOPS]
        if len(chat.stop) > _MOST_STOPS:
            dropped["stop"] = None
    if chat.seed is not None:
        if chat.seed in _INT32:
            config.seed = chat.seed
        else:
            dropped["seed"] = None
    if chat.logprobs or chat.top_logprobs:
        config.response_logprobs = True
        config.logprobs = chat.top_logprobs
    if chat.modalities:
        config.response_modalities = _modalities(chat.modalities)
    if chat.thinking is not None:
        config.thinking_config = write_thinking(chat.thinking, model)
        if config.thinking_config is None:
            dropped["thinking"] = None
    if chat.output is not None and chat.output.kind != "text":
        if chat.tools and (0, 0) < generation(model) < (3, 0):
            # "Function calling with a response mime type: 'application/json' is unsupported", before Gemini 3
            dropped["output"] = None
        else:
            config.response_mime_type = "application/json"
            if chat.output.kind == "schema" and chat.output.schema != ABSENT:
                config.response_json_schema = chat.output.schema
    return config


def _modalities(asked: list[str]) -> list[str] | None:
    """A model that speaks does not write; one that draws does both. Text alone is the default."""
    if "audio" in asked:
        return ["AUDIO"]
    return ["TEXT", "IMAGE"] if "image" in asked else None


_NOTHING = GenerationConfig()
