"""A neutral chat as the body that Bedrock takes. Which model, and whether as a stream, is said by its address."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from gateline.formats.bedrock.block import Block, write_cache
from gateline.formats.bedrock.configuration import (
    Anything,
    Choice,
    Inference,
    JsonSchema,
    ListedTool,
    NamedTool,
    OutputConfig,
    Schema,
    Spec,
    Structure,
    TextFormat,
    Tier,
    ToolConfig,
)
from gateline.formats.bedrock.extra import Extra, put_effort, put_no_tools, put_top_k
from gateline.formats.bedrock.models import Traits, traits
from gateline.formats.bedrock.names import CLIENT_NAMES
from gateline.formats.bedrock.prompt import Message, Prompt
from gateline.formats.claude.models import Abilities, abilities
from gateline.formats.claude.schema import input_schema, strict_schema, subset
from gateline.formats.claude.thinking import Plan, plan_thinking
from gateline.formats.contract import Written
from gateline.formats.dialect import Dialect
from gateline.formats.features import left_inside, left_out
from gateline.model.chat import Chat, Tool, ToolChoice

_TIERS = {"priority": "priority", "default": "default", "flex": "flex", "reserved": "reserved"}
_MOST_LABELS = 16
_LABEL = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_ANY_INPUT = Raw(b'{"type":"object","properties":{}}')
_NO_EXTRA = Extra()
# Asked for, these ask for nothing: leaving them out changes no answer.
_IDLE: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "modalities": (["text"],),
    "store": (False,),
    "parallel_tools": (True,),
    "service_tier": ("auto",),
}

_encode = msgspec.json.Encoder().encode


class _Asked(msgspec.Struct, rename="camel", omit_defaults=True):
    messages: list[Message]
    system: list[Block] | None = None
    inference_config: Inference | None = None
    tool_config: ToolConfig | None = None
    additional_model_request_fields: Extra | None = None
    request_metadata: dict[str, str] | None = None
    service_tier: Tier | None = None
    output_config: OutputConfig | None = None


def write_chat(chat: Chat, model: str, dialect: Dialect) -> Written:
    """No bound on tokens is required there. Claude since 4.5 gets one of 32,000 where the client set none: Bedrock's
    own is 4,096 for some, thinking included."""
    draft = _Draft(chat, model)
    return Written(_encode(draft.asked), list(draft.dropped))


class _Draft:
    """One body in the making, and what was left out of it."""

    def __init__(self, chat: Chat, model: str) -> None:
        self.chat = chat
        self.able: Traits = traits(model)
        self.claude: Abilities | None = abilities(model) if self.able.thinks == "claude" else None
        self.dropped: dict[str, None] = {
            name: None for name in left_out(chat, CLIENT_NAMES) if getattr(chat, name) not in _IDLE.get(name, ())
        }
        self.prompt = Prompt(chat.turns, self.able)
        self.dropped |= self.prompt.dropped | dict.fromkeys(left_inside(chat, CLIENT_NAMES))
        self.prompt.dropped = self.dropped
        self.extra = Extra()
        self.inference = Inference(chat.max_tokens)
        self.output = OutputConfig()
        self.asked = _Asked(self.prompt.messages, self.prompt.system or None)
        forced = self._put_tools()
        plan = self._put_thinking(is_forced=forced)
        self._put_sampling(plan)
        self._put_output()
        self._put_rest()

    def _put_tools(self) -> bool:
        """Whether a tool must be called."""
        chat, choice = self.chat, self.chat.tool_choice
        if chat.parallel_tools is False:
            self.dropped["parallel_tools"] = None
        used = self.prompt.used_tools
        tools = chat.tools
        if choice is not None and choice.mode == "none" and not used:
            tools = []  # there is no word for it
        elif choice is not None and choice.names and not (choice.mode == "required" and self._names_one(choice)):
            tools = [tool for tool in tools if tool.name in choice.names] or tools
        listed: list[ListedTool] = []
        for tool in tools:
            self._add_tool(tool, listed)
        if not listed:  # a conversation in which tools were used is refused without any
            listed = [ListedTool(Spec(name, Schema(_ANY_INPUT))) for name in used]
        written = self._choice(choice, has_tools=bool(tools))
        is_without = bool(used) and (not tools or (choice is not None and choice.mode == "none"))
        if is_without and not put_no_tools(self.extra, self.able) and choice is not None:
            self.dropped["tool_choice"] = None
        if listed:
            self.asked.tool_config = ToolConfig(listed, written)
        return written is not None

    def _add_tool(self, tool: Tool, listed: list[ListedTool]) -> None:
        can_strict = self.claude is not None and self.claude.schema
        strict = strict_schema(tool.schema) if tool.strict and can_strict else None
        if tool.strict and strict is None:
            self.dropped["tool_strict"] = None
        schema = Schema(strict or input_schema(tool.schema))
        listed.append(ListedTool(Spec(tool.name, schema, tool.description or None, None if strict is None else True)))
        if tool.cache and self.able.caches == "all":
            listed.append(ListedTool(cache_point=write_cache(tool.cache)))
        elif tool.cache:
            self.dropped["cache"] = None

    def _choice(self, choice: ToolChoice | None, *, has_tools: bool) -> Choice | None:
        if choice is None or choice.mode != "required":
            return None
        forces = "" if self.claude is not None and not self.claude.forces else self.able.forces
        if not has_tools or not forces:
            self.dropped["tool_choice"] = None
            return None
        return Choice(tool=NamedTool(choice.names[0])) if self._names_one(choice) else Choice(any=Anything())

    def _names_one(self, choice: ToolChoice) -> bool:
        """Whether the vendor can be told which tool to call; else it gets no other."""
        return len(choice.names) == 1 and self.able.forces == "tool"

    def _put_thinking(self, *, is_forced: bool) -> Plan | None:
        """Of Claude it is Anthropic's plan, bound to Anthropic's conditions."""
        chat, claude, prompt = self.chat, self.claude, self.prompt
        if claude is None:
            if chat.thinking is not None and not put_effort(self.extra, chat, chat.thinking, self.able):
                self.dropped["thinking"] = None
            return None
        plan = plan_thinking(chat.thinking, claude, chat.max_tokens)
        if plan.is_dropped:
            self.dropped["thinking"] = None
        if prompt.ends_in_answer and not claude.prefills:
            prompt.drop_last()
            self.dropped["prefill"] = None
        if prompt.ends_in_answer:
            prompt.trim_last()
        if plan.is_budgeted and (is_forced or prompt.ends_in_answer or prompt.lacks_thinking):
            plan.field = None
            self.dropped["thinking"] = None
        self.extra.thinking = plan.field
        self.output.effort = plan.effort
        if chat.max_tokens is not None or plan.is_budgeted or claude.usual > 4_096:
            self.inference.max_tokens = plan.max_tokens
        return plan

    def _put_sampling(self, plan: Plan | None) -> None:
        """Temperatures end at 1 there. Claude's thinking takes no other, nor a top_k, and a top_p of 0.95 at least."""
        chat, inference, claude = self.chat, self.inference, self.claude
        is_free = self.able.samples
        is_alone = True
        if claude is not None:
            is_free = claude.samples != "none" and not (plan is not None and plan.is_on)
            is_alone = claude.samples == "both" or (claude.samples == "one" and chat.temperature is None)
        if chat.temperature is not None:
            if chat.temperature > 1 or (chat.temperature != 1 and not is_free):
                self.dropped["temperature"] = None
            inference.temperature = min(chat.temperature, 1.0) if is_free else None
        if chat.top_p is not None and chat.top_p != 1:
            if is_alone and (is_free or (claude is not None and chat.top_p >= 0.95)):
                inference.top_p = chat.top_p
            else:
                self.dropped["top_p"] = None
        if chat.top_k is not None and not (is_free and put_top_k(self.extra, chat.top_k, self.able)):
            self.dropped["top_k"] = None

    def _put_output(self) -> None:
        """JSON without a schema has no equivalent there: the client's own words in the prompt have to do."""
        output, claude = self.chat.output, self.claude
        can_schema = self.able.schema and (claude is None or claude.schema)
        schema: Raw | None = None
        if output is not None and output.kind == "schema" and can_schema and bytes(output.schema):
            schema = subset(output.schema) if claude is not None else output.schema
        if output is not None and schema is not None:
            text = bytes(schema).decode("utf-8", "replace")
            described = JsonSchema(text, output.name or None, output.description or None)
            self.output.text_format = TextFormat(Structure(described))
        elif output is not None and output.kind != "text":
            self.dropped["output"] = None

    def _put_rest(self) -> None:
        chat, asked = self.chat, self.asked
        stops = [stop for stop in chat.stop if stop and not stop.isspace()]
        if len(stops) < len(chat.stop):  # white space alone is refused
            self.dropped["stop"] = None
        self.inference.stop_sequences = stops or None
        labels = _fitting_labels(chat.metadata)
        if len(labels) < len(chat.metadata):
            self.dropped["metadata"] = None
        asked.request_metadata = labels or None
        if chat.service_tier:
            tier = _TIERS.get(chat.service_tier)
            asked.service_tier = None if tier is None else Tier(tier)
            if tier is None and chat.service_tier != "auto":
                self.dropped["service_tier"] = None
        self.prompt.bound_marks([] if asked.tool_config is None else asked.tool_config.tools)
        asked.inference_config = None if self.inference == Inference() else self.inference
        asked.additional_model_request_fields = None if self.extra == _NO_EXTRA else self.extra
        asked.output_config = None if self.output == OutputConfig() else self.output


def _fitting_labels(metadata: dict[str, str]) -> dict[str, str]:
    """Those that the vendor takes."""
    fit = {
        name: value for name, value in metadata.items() if name and _LABEL.fullmatch(name) and _LABEL.fullmatch(value)
    }
    return dict(list(fit.items())[:_MOST_LABELS])
