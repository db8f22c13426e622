"""A client's `generateContent` and `countTokens` as neutral calls."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, NoReturn

import msgspec
from msgspec import Raw

from gateline.formats.contract import Body
from gateline.formats.gemini.content import ABSENT, GivenContent, given_parts
from gateline.formats.gemini.schema import json_schema
from gateline.formats.gemini.spelling import camel, camel_body, snake
from gateline.formats.gemini.thinking import ThinkingConfig, read_thinking
from gateline.formats.gemini.turns import TurnReader
from gateline.formats.typed import read_typed
from gateline.model.call import Call
from gateline.model.chat import Chat, Output, Text, Tool, ToolChoice, Turn
from gateline.model.chat import Part as ChatPart
from gateline.model.errors import BadRequest
from gateline.model.vectors import Count


class Declaration(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str
    description: str | None = None
    parameters: Raw = ABSENT
    parameters_json_schema: Raw = ABSENT


class Tools(msgspec.Struct, rename="camel", omit_defaults=True):
    function_declarations: list[Declaration] | None = None


class CallingConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    mode: str | None = None
    allowed_function_names: list[str] | None = None


class ToolConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    function_calling_config: CallingConfig | None = None


Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]


class GenerationConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    temperature: float | None = None
    top_p: float | None = None
    top_k: Annotated[float, msgspec.Meta(ge=0, le=2**31 - 1)] | None = None
    max_output_tokens: Int32 | None = None
    stop_sequences: list[str] | None = None
    candidate_count: Int32 | None = None
    seed: Int32 | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_mime_type: str | None = None
    response_schema: Raw = ABSENT
    response_json_schema: Raw = ABSENT
    response_logprobs: bool | None = None
    logprobs: Int32 | None = None
    response_modalities: list[str] | None = None
    thinking_config: ThinkingConfig | None = None


class Request(msgspec.Struct, rename="camel"):
    contents: list[GivenContent | str] | GivenContent | str | None = None
    system_instruction: GivenContent | str | None = None
    tools: list[Tools] | Tools | None = None
    tool_config: ToolConfig | None = None
    generation_config: GenerationConfig | None = None
    labels: dict[str, str] | None = None
    service_tier: str | None = None


class _CountRequest(Request, rename="camel"):
    generate_content_request: Request | None = None


_KNOWN = frozenset(field.encode_name for field in msgspec.structs.fields(_CountRequest)) | {"model"}
_KNOWN_OF = {
    "generationConfig": frozenset(field.encode_name for field in msgspec.structs.fields(GenerationConfig)),
    "toolConfig": frozenset({"functionCallingConfig"}),
}
_TIERS = {"standard": "default", "flex": "flex", "priority": "priority"}
_MODES = {"AUTO": "auto", "VALIDATED": "auto", "ANY": "required", "NONE": "none", "MODE_UNSPECIFIED": "auto"}
_NULL = b"null"
# Proto JSON takes numbers as strings, too.
_REQUEST = msgspec.json.Decoder(Request, strict=False)
_COUNT = msgspec.json.Decoder(_CountRequest, strict=False)
_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_items = msgspec.json.Decoder(list[dict[str, Raw]]).decode


def read_chat(call: Call, body: Body) -> Chat:
    """Raises BadRequest. The model and whether to stream stand in the path, and so in `call`."""
    renamed = camel_body(body)
    try:
        return _chat(call, read_typed(_REQUEST, body if renamed is None else renamed), call.fields)
    except BadRequest as error:
        if renamed is None:
            raise
        _respell(error)


def read_count(call: Call, body: Body) -> Count:
    """Raises BadRequest."""
    renamed = camel_body(body)
    try:
        request = read_typed(_COUNT, body if renamed is None else renamed)
        inner = request.generate_content_request
        if inner is None:
            return Count(chat=_chat(call, request, call.fields))
        whole = next((value for name, value in call.fields.items() if camel(name) == "generateContentRequest"), ABSENT)
        return Count(chat=_chat(call, inner, {} if whole is ABSENT else _fields(whole)))
    except BadRequest as error:
        if renamed is None:
            raise
        _respell(error)


def _respell(error: BadRequest) -> NoReturn:
    """The field at fault as this client spells them."""
    param = error.param
    spelled = None if param is None else snake(param)
    message = str(error) if param is None or spelled is None else str(error).replace(param, spelled)
    raise BadRequest(message, param=spelled, code=error.reason) from None


def _chat(call: Call, request: Request, fields: Mapping[str, Raw]) -> Chat:
    contents = request.contents
    if contents is None or contents == []:
        raise BadRequest("`contents` is required", param="contents", code="missing_required_parameter")
    reader = TurnReader()
    turns = reader.read(contents if isinstance(contents, list) else [contents])
    instruction = request.system_instruction
    if instruction is not None:
        turns.insert(0, _system(instruction, reader.unmapped))
    chat = Chat(
        model=call.model,
        turns=turns,
        stream=call.stream,
        include_usage=True,
        unmapped=[*_unmapped(fields), *dict.fromkeys(reader.unmapped)],
    )
    if request.tools is not None:
        chat.tools = _tools(request.tools)
    if request.tool_config is not None and request.tool_config.function_calling_config is not None:
        chat.tool_choice = _tool_choice(request.tool_config.function_calling_config)
    if request.generation_config is not None:
        _sampling(chat, request.generation_config)
    if request.labels:
        chat.metadata = request.labels
    if request.service_tier is not None:
        tier = request.service_tier.lower()
        chat.service_tier = _TIERS.get(tier, "" if tier == "unspecified" else tier)
    return chat


def _system(instruction: GivenContent | str, unmapped: list[str]) -> Turn:
    texts: list[ChatPart] = []
    for part in [instruction] if isinstance(instruction, str) else given_parts(instruction):
        text = part if isinstance(part, str) else part.text
        if text:
            texts.append(Text(text=text))
        elif text is None:
            unmapped.append("systemInstruction.parts")
    return Turn(role="system", parts=texts)


def _tools(given: list[Tools] | Tools) -> list[Tool]:
    tools = []
    for at, group in enumerate(given if isinstance(given, list) else [given]):
        for place, declared in enumerate(group.function_declarations or ()):
            schema = declared.parameters_json_schema
            if _is_absent(schema):
                field = f"tools[{at}].functionDeclarations[{place}].parameters"
                schema = ABSENT if _is_absent(declared.parameters) else json_schema(declared.parameters, field)
            tools.append(Tool(name=declared.name, description=declared.description or "", schema=schema))
    return tools


def _tool_choice(config: CallingConfig) -> ToolChoice:
    mode = _MODES.get((config.mode or "AUTO").upper())
    if mode is None:
        field = "toolConfig.functionCallingConfig.mode"
        raise BadRequest(f"`{field}` must be AUTO, ANY, NONE or VALIDATED", param=field, code="invalid_value")
    return ToolChoice(mode=mode, names=config.allowed_function_names or [])  # type: ignore[arg-type]  # one of _MODES


def _sampling(chat: Chat, config: GenerationConfig) -> None:
    chat.temperature = config.temperature
    chat.top_p = config.top_p
    chat.top_k = None if config.top_k is None else int(config.top_k)
    chat.max_tokens = config.max_output_tokens
    chat.stop = config.stop_sequences or []
    chat.n = config.candidate_count
    chat.seed = config.seed
    chat.presence_penalty = config.presence_penalty
    chat.frequency_penalty = config.frequency_penalty
    chat.logprobs = config.response_logprobs
    chat.top_logprobs = config.logprobs
    chat.modalities = [modality.lower() for modality in config.response_modalities or ()]
    if config.thinking_config is not None:
        chat.thinking = read_thinking(config.thinking_config)
    schema = config.response_json_schema
    if _is_absent(schema) and not _is_absent(config.response_schema):
        schema = json_schema(config.response_schema, "generationConfig.responseSchema")
    mime = (config.response_mime_type or "").lower()
    if not _is_absent(schema):
        chat.output = Output(kind="schema", schema=schema)
    elif mime == "application/json":
        chat.output = Output(kind="json")
    elif mime and mime != "text/plain":
        chat.unmapped.append("generationConfig.responseMimeType")


def _unmapped(fields: Mapping[str, Raw]) -> Iterator[str]:
    """The client's own names of the fields that have no place in a chat."""
    for name, value in fields.items():
        key = camel(name)
        if key not in _KNOWN:
            if bytes(value) != _NULL:
                yield name
        elif key in _KNOWN_OF:
            yield from _inner(name, value, _KNOWN_OF[key])
        elif key == "tools" and bytes(memoryview(value)[:1]) == b"[":
            for tool in _items(value):
                yield from (f"{name}.{inner}" for inner in tool if camel(inner) != "functionDeclarations")


def _inner(name: str, value: Raw, known: Collection[str]) -> Iterator[str]:
    if bytes(memoryview(value)[:1]) != b"{":
        return  # null, by itself or in quotes
    for inner, given in _fields(value).items():
        if camel(inner) not in known and bytes(given) != _NULL:
            yield f"{name}.{inner}"


def _is_absent(raw: Raw) -> bool:
    return raw is ABSENT or bytes(raw) == _NULL
