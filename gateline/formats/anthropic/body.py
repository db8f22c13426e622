"""A neutral chat as the body that Anthropic's vendors take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from gateline.formats.anthropic.block import CacheControl, TextBlock, write_cache
from gateline.formats.anthropic.names import CLIENT_NAMES
from gateline.formats.anthropic.prompt import Message, Prompt
from gateline.formats.claude.models import Abilities, abilities
from gateline.formats.claude.schema import input_schema, strict_schema, subset
from gateline.formats.claude.thinking import Plan, ThinkingField, plan_thinking
from gateline.formats.contract import Written
from gateline.formats.dialect import Dialect
from gateline.formats.features import left_inside, left_out
from gateline.model.chat import Chat, Tool, ToolChoice
from gateline.model.vectors import Count

_MARKS = 4  # the most blocks with `cache_control` that the vendor takes
_LONGEST_USER = 256  # characters of `metadata.user_id`
_TIERS = {"auto": "auto", "priority": "auto", "default": "standard_only", "standard_only": "standard_only"}
_ANY_INPUT = Raw(b'{"type":"object"}')
# Asked for, these ask for nothing: leaving them out changes no answer.
_IDLE: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "modalities": (["text"],),
    "store": (False,),
}

_encode = msgspec.json.Encoder().encode


class _Tool(msgspec.Struct, omit_defaults=True):
    name: str
    input_schema: Raw
    description: str | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None


class _ToolChoice(msgspec.Struct, omit_defaults=True):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None

    def __post_init__(self) -> None:
        if self.type == "none":  # takes no other field
            self.disable_parallel_tool_use = None


class _Format(msgspec.Struct, tag_field="type", tag="json_schema"):
    schema: Raw


class _OutputConfig(msgspec.Struct, omit_defaults=True):
    effort: str | None = None
    format: _Format | None = None


class _Metadata(msgspec.Struct):
    user_id: str


class _Asked(msgspec.Struct, omit_defaults=True):
    messages: list[Message]
    model: str | None = None
    anthropic_version: str | None = None
    max_tokens: int | None = None
    stream: bool | None = None
    system: list[TextBlock] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    metadata: _Metadata | None = None
    service_tier: str | None = None
    tools: list[_Tool] | None = None
    tool_choice: _ToolChoice | None = None
    thinking: ThinkingField | None = None
    output_config: _OutputConfig | None = None


def write_chat(chat: Chat, model: str, dialect: Dialect) -> Written:
    """A bound on tokens is required there. For a client that set none it is 32,000, and 4,096 for models before 4.5 and
    those of other vendors."""
    draft = _Draft(chat, model, dialect)
    asked = draft.asked
    draft.put_sampling()
    asked.max_tokens = draft.plan.max_tokens
    # Bedrock has an address for streams, Vertex AI has one and reads the field too.
    asked.stream = True if chat.stream and not dialect.anthropic_version.startswith("bedrock") else None
    asked.model = None if dialect.anthropic_version else model
    return draft.written()


def write_count(count: Count, model: str, dialect: Dialect) -> Written:
    """Only what has tokens: the vendor takes no other field here."""
    draft = _Draft(count.chat, model, dialect)
    draft.asked.metadata = None
    draft.asked.service_tier = None
    draft.asked.stop_sequences = None
    draft.asked.model = model
    return draft.written()


class _Draft:
    """One body in the making, and what was left out of it."""

    def __init__(self, chat: Chat, model: str, dialect: Dialect) -> None:
        self.dropped: dict[str, None] = {
            name: None for name in left_out(chat, CLIENT_NAMES) if getattr(chat, name) not in _IDLE.get(name, ())
        }
        self.chat = chat = self._without_refused(chat, dialect)
        self.able = abilities(model)
        is_hosted = bool(dialect.anthropic_version or dialect.maker)
        self.prompt = Prompt(chat.turns, instructs=self.able.instructs and not is_hosted)
        self.dropped |= self.prompt.dropped | dict.fromkeys(left_inside(chat, CLIENT_NAMES))
        self.plan = self._planned(chat, self.able)
        self.asked = _Asked(self.prompt.messages, anthropic_version=dialect.anthropic_version or None)
        self.asked.system = self.prompt.system or None
        self._put_tools(chat)
        self._settle_thinking()
        self._put_output(chat, can_schema=self.able.schema and dialect.schema)
        self._put_rest(chat)
        self._bound_marks()

    def written(self) -> Written:
        return Written(_encode(self.asked), list(self.dropped))

    def _without_refused(self, chat: Chat, dialect: Dialect) -> Chat:
        if not dialect.refuses:
            return chat
        plain = Chat(model="", turns=[])
        changed: dict[str, Any] = {}
        for name in dialect.refuses:
            if getattr(chat, name, None) != getattr(plain, name, None):
                changed[name] = getattr(plain, name)
                self.dropped[name] = None
        return msgspec.structs.replace(chat, **changed) if changed else chat

    def _planned(self, chat: Chat, able: Abilities) -> Plan:
        plan = plan_thinking(chat.thinking, able, chat.max_tokens)
        if plan.is_dropped:
            self.dropped["thinking"] = None
        return plan

    def _settle_thinking(self) -> None:
        """What the vendor does not take together: an answer that was begun goes with models that take one, and without
        thinking; thinking by a budget goes with neither a tool that must be called, nor a tool whose call was not
        thought of. The call keeps what makes it right, and loses thinking."""
        prompt, plan, choice = self.prompt, self.plan, self.asked.tool_choice
        if prompt.ends_in_answer and not self.able.prefills:
            prompt.drop_last()
            self.dropped["prefill"] = None
        if prompt.ends_in_answer:
            prompt.trim_last()
        is_forced = choice is not None and choice.type in {"any", "tool"}
        if plan.is_budgeted and (is_forced or prompt.ends_in_answer or prompt.lacks_thinking):
            plan.field = None
            self.dropped["thinking"] = None
        self.asked.thinking = plan.field

    def put_sampling(self) -> None:
        """Temperatures end at 1 there. Thinking takes no other, nor a top_k, and a top_p of 0.95 at least."""
        chat, able, asked = self.chat, self.able, self.asked
        is_free = able.samples != "none" and not self.plan.is_on
        temperature, top_p = chat.temperature, chat.top_p
        if temperature is not None:
            if temperature > 1 or (temperature != 1 and not is_free):
                self.dropped["temperature"] = None
            asked.temperature = min(temperature, 1.0) if is_free else None
        if top_p is not None and top_p != 1:
            is_alone = able.samples == "both" or (able.samples == "one" and asked.temperature is None)
            if is_alone and (is_free or top_p >= 0.95):
                asked.top_p = top_p
            else:
                self.dropped["top_p"] = None
        if chat.top_k is not None:
            if is_free:
                asked.top_k = chat.top_k
            else:
                self.dropped["top_k"] = None

    def _put_tools(self, chat: Chat) -> None:
        choice = chat.tool_choice
        tools = chat.tools
        if choice is not None and choice.names and (choice.mode == "auto" or len(choice.names) > 1):
            tools = [tool for tool in tools if tool.name in choice.names] or tools
        if tools:
            self.asked.tools = [self._tool(tool) for tool in tools]
            self.asked.tool_choice = self._choice(choice, chat.parallel_tools)
            return
        used = self.prompt.used_tools
        if used:  # a conversation in which tools were used is refused without any
            self.asked.tools = [_Tool(name, _ANY_INPUT) for name in used]
            self.asked.tool_choice = _ToolChoice("none")
        if choice is not None and choice.mode == "required":
            self.dropped["tool_choice"] = None

    def _tool(self, tool: Tool) -> _Tool:
        strict = strict_schema(tool.schema) if tool.strict and self.able.schema else None
        if tool.strict and strict is None:
            self.dropped["tool_strict"] = None
        return _Tool(
            tool.name,
            strict or input_schema(tool.schema),
            tool.description or None,
            None if strict is None else True,
            write_cache(tool.cache),
        )

    def _choice(self, choice: ToolChoice | None, parallel: bool | None) -> _ToolChoice | None:
        alone = True if parallel is False else None
        if choice is not None and choice.mode == "required":
            if not self.able.forces:
                self.dropped["tool_choice"] = None
            elif len(choice.names) == 1:
                return _ToolChoice("tool", choice.names[0], alone)
            else:
                return _ToolChoice("any", None, alone)
        elif choice is not None:
            return _ToolChoice(choice.mode, None, alone)
        return _ToolChoice("auto", None, alone) if alone else None

    def _put_output(self, chat: Chat, *, can_schema: bool) -> None:
        """JSON without a schema has no equivalent there: the client's own words in the prompt have to do."""
        config = _OutputConfig(self.plan.effort)
        output = chat.output
        schema: Raw | None = None
        if output is not None and output.kind == "schema" and can_schema and bytes(output.schema):
            schema = subset(output.schema)
        if schema is not None:
            config.format = _Format(schema)
        elif output is not None and output.kind != "text":
            self.dropped["output"] = None
        if config.effort is not None or config.format is not None:
            self.asked.output_config = config

    def _put_rest(self, chat: Chat) -> None:
        asked = self.asked
        stops = [stop for stop in chat.stop if stop and not stop.isspace()]
        if len(stops) < len(chat.stop):  # white space alone is refused
            self.dropped["stop"] = None
        asked.stop_sequences = stops or None
        if len(chat.user) > _LONGEST_USER:
            self.dropped["user"] = None
        elif chat.user:
            asked.metadata = _Metadata(chat.user)
        if chat.service_tier:
            asked.service_tier = _TIERS.get(chat.service_tier)
            if asked.service_tier is None:
                self.dropped["service_tier"] = None

    def _bound_marks(self) -> None:
        """The last marks keep the longest prompts, so that the first give way."""
        for marked in list(self._marked())[:-_MARKS]:
            marked.cache_control = None
            self.dropped["cache"] = None

    def _marked(self) -> Iterator[Any]:
        asked = self.asked
        yield from (tool for tool in asked.tools or () if tool.cache_control is not None)
        yield from (block for block in asked.system or () if block.cache_control is not None)
        for message in asked.messages:
            yield from (block for block in message.content if getattr(block, "cache_control", None) is not None)
