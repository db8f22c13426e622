"""A call of Converse, as a client of the gateway makes it, into a neutral chat."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.arguments import arguments_text
from gateline.formats.bedrock.block import ABSENT, Block, CachePoint, ToolResultBlock, read_cache
from gateline.formats.bedrock.citation import read_cited
from gateline.formats.bedrock.configuration import Inference, OutputConfig, Tier, ToolConfig
from gateline.formats.bedrock.extra import read_extra
from gateline.formats.bedrock.media import read_media
from gateline.formats.bedrock.seals import blob_text
from gateline.formats.claude.carrier import add_hidden, read_reasoning
from gateline.formats.contract import Body
from gateline.formats.typed import read_typed
from gateline.model.call import Call
from gateline.model.chat import (
    Chat,
    Media,
    Output,
    Part,
    Reasoning,
    Refusal,
    Role,
    Seal,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from gateline.model.errors import BadRequest

_KNOWN = frozenset({
    "messages", "system", "inferenceConfig", "toolConfig", "additionalModelRequestFields", "requestMetadata",
    "serviceTier", "outputConfig",
})  # fmt: skip
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}


class _Message(msgspec.Struct):
    role: str
    content: list[Block]


class _Request(msgspec.Struct, rename="camel"):
    messages: list[_Message]
    system: list[Block] | None = None
    inference_config: Inference | None = None
    tool_config: ToolConfig | None = None
    additional_model_request_fields: dict[str, Raw] | None = None
    request_metadata: dict[str, str] | None = None
    service_tier: Tier | None = None
    output_config: OutputConfig | None = None


_decoder = msgspec.json.Decoder(_Request)


def read_chat(call: Call, body: Body) -> Chat:
    """Raises BadRequest with the field at fault. Usage is always part of Converse's streams, and so asked for."""
    request = read_typed(_decoder, body)
    if not request.messages:
        raise BadRequest("`messages`: at least one message is required", param="messages")
    chat = Chat(model=call.model, turns=[], stream=call.stream, include_usage=True)
    chat.unmapped = [name for name in call.fields if name not in _KNOWN]
    if request.system:
        chat.turns.append(Turn(role="system", parts=_parts(request.system, "system", chat)))
    for at, message in enumerate(request.messages):
        role = _ROLES.get(message.role)
        if role is None:
            param = f"messages[{at}].role"
            raise BadRequest(f"invalid value for `{param}`: expected `user` or `assistant`", param=param)
        chat.turns.append(Turn(role=role, parts=_parts(message.content, "messages.content", chat)))
    inference = request.inference_config or Inference()
    chat.max_tokens, chat.temperature, chat.top_p = inference.max_tokens, inference.temperature, inference.top_p
    chat.stop = inference.stop_sequences or []
    if request.tool_config is not None:
        _put_tools(request.tool_config, chat)
    config = request.output_config or OutputConfig()
    if config.text_format is not None:
        asked = config.text_format.structure.json_schema
        schema = Raw(asked.schema.encode("utf-8", "replace"))
        chat.output = Output(kind="schema", name=asked.name or "", description=asked.description or "", schema=schema)
        _check_schema(schema)
    read_extra(request.additional_model_request_fields or {}, chat, config.effort)
    chat.metadata = request.request_metadata or {}
    chat.service_tier = "" if request.service_tier is None else request.service_tier.type
    return chat


def _check_schema(schema: Raw) -> None:
    try:
        msgspec.json.decode(schema)
    except (msgspec.MsgspecError, RecursionError):
        param = "outputConfig.textFormat.structure.jsonSchema.schema"
        raise BadRequest(f"`{param}` is not valid JSON", param=param, code="invalid_json") from None


def _put_tools(config: ToolConfig, chat: Chat) -> None:
    for tool in config.tools:
        spec = tool.tool_spec
        if spec is not None:
            chat.tools.append(Tool(name=spec.name, description=spec.description or "", schema=spec.input_schema.json))
            chat.tools[-1].strict = spec.strict
        elif tool.cache_point is not None and chat.tools:
            chat.tools[-1].cache = read_cache(tool.cache_point)
        elif tool.cache_point is None:
            chat.unmapped.append("toolConfig.tools.systemTool")
    choice = config.tool_choice
    if choice is not None and choice.tool is not None:
        chat.tool_choice = ToolChoice(mode="required", names=[choice.tool.name])
    elif choice is not None:
        chat.tool_choice = ToolChoice(mode="auto" if choice.any is None else "required")


def _parts(blocks: list[Block], place: str, chat: Chat) -> list[Part]:
    parts: list[Part] = []
    seal: Seal | None = None  # of the tool use that comes next
    for block in blocks:
        hidden = None if block.reasoning_content is None else block.reasoning_content.redacted_content
        if block.cache_point is not None:
            _mark(parts, block.cache_point)
        elif hidden is not None:
            seal = add_hidden(blob_text(hidden), parts) or seal
        else:
            part = _part(block, place, chat)
            if isinstance(part, ToolUse):
                part.seal, seal = seal, None
            if part is not None:
                parts.append(part)
    return parts


def _mark(parts: list[Part], point: CachePoint) -> None:
    for part in reversed(parts):
        if not isinstance(part, Reasoning | Refusal):
            part.cache = read_cache(point)
            return


def _part(block: Block, place: str, chat: Chat) -> Part | None:
    if block.text is not None:
        return Text(text=block.text)
    if block.tool_use is not None:
        use = block.tool_use
        return ToolUse(id=use.tool_use_id, name=use.name, arguments=arguments_text(use.input))
    if block.tool_result is not None:
        return _result(block.tool_result, f"{place}.toolResult.content", chat)
    if block.reasoning_content is not None and block.reasoning_content.reasoning_text is not None:
        thought = block.reasoning_content.reasoning_text
        return read_reasoning(thought.signature or "", thought.text, is_hidden=False)
    if block.citations_content is not None:
        return read_cited(block.citations_content)
    if block.search_result is not None:
        found = block.search_result
        return Text(text="\n".join([found.title, found.source, *(piece.text for piece in found.content)]).strip())
    if bytes(block.json):
        return Text(text=bytes(block.json).decode("utf-8", "replace"))
    media = read_media(block)
    if media is None:
        _note_unmapped(block, place, chat)
    return media


def _note_unmapped(block: Block, place: str, chat: Chat) -> None:
    fields = {"guard_content": "guardContent", "image": "image.source.s3Location",
              "document": "document.source.s3Location", "video": "video.source.s3Location",
              "audio": "audio.source.s3Location"}  # fmt: skip
    name = next((word for field, word in fields.items() if getattr(block, field) not in (None, ABSENT)), "")
    name = f"{place}.{name}" if name else place
    if name not in chat.unmapped:
        chat.unmapped.append(name)


def _result(result: ToolResultBlock, place: str, chat: Chat) -> ToolResult:
    found = (_part(block, place, chat) for block in result.content)
    inner: list[Text | Media] = [part for part in found if isinstance(part, Text | Media)]
    return ToolResult(id=result.tool_use_id, parts=inner, is_error=result.status == "error")
