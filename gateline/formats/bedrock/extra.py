"""`additionalModelRequestFields`: what Converse has no field for, in the words of the model's maker."""

from __future__ import annotations

from typing import Any

import msgspec

from gateline.formats.bedrock.models import Traits, fitting
from gateline.formats.claude.thinking import ThinkingField, read_thinking
from gateline.formats.typed import UNREAD, Int64
from gateline.model.chat import Chat, Effort, Thinking, ToolChoice
from gateline.model.errors import BadRequest

_BUDGETS: tuple[tuple[int, Effort], ...] = ((2_048, "low"), (8_192, "medium"), (16_384, "high"), (32_000, "xhigh"))


class _NoTools(msgspec.Struct):
    type: str = "none"


class _Nova(msgspec.Struct, rename="camel", omit_defaults=True):
    type: str
    max_reasoning_effort: str | None = None


class _Effort(msgspec.Struct):
    effort: str


class _Sampling(msgspec.Struct, rename="camel"):
    top_k: int


class Extra(msgspec.Struct, omit_defaults=True):
    """The fields of all makers: one model takes but its own."""

    thinking: ThinkingField | None = None
    top_k: Int64 | None = None
    tool_choice: _NoTools | None = None
    reasoning_effort: str | None = None
    reasoning_config: str | None = None
    reasoning: _Effort | None = None
    reasoningConfig: _Nova | None = None  # noqa: N815 - the field's name on the wire
    inferenceConfig: _Sampling | None = None  # noqa: N815 - the field's name on the wire


def put_top_k(extra: Extra, top_k: int, able: Traits) -> bool:
    """Whether the model takes it."""
    if able.top_k == "top_k":
        extra.top_k = top_k
    elif able.top_k == "topK":
        extra.inferenceConfig = _Sampling(min(top_k, 128))
    return bool(able.top_k)


def put_no_tools(extra: Extra, able: Traits) -> bool:
    """Whether the model can be told to call none of the tools it has: Claude's own field says so."""
    if able.thinks == "claude":
        extra.tool_choice = _NoTools()
        return True
    return False


def put_effort(extra: Extra, chat: Chat, thinking: Thinking, able: Traits) -> bool:
    """Asks any model but Claude to reason as much as the client wants. Whether it can: Nova's highest effort does not
    go with bounds and sampling, which then matter more."""
    effort = _effort(thinking)
    if effort is None:
        return True  # nothing was asked
    if not able.thinks:
        return effort == "none"
    word = fitting(effort, able.efforts)
    is_met = word is not None
    word = word or able.efforts[0]  # as little as it can
    if able.thinks == "nova":
        bounds = (chat.max_tokens, chat.temperature, chat.top_p, chat.top_k)
        if word == "high" and any(bound is not None for bound in bounds):
            word, is_met = "medium", False
        extra.reasoningConfig = _Nova("disabled") if word == "none" else _Nova("enabled", word)
    elif able.thinks == "reasoning":
        extra.reasoning = _Effort(word)
    else:
        setattr(extra, able.thinks, word)
    return is_met


def _effort(thinking: Thinking) -> Effort | None:
    budget = thinking.budget
    if thinking.effort is not None:
        return thinking.effort
    if budget is None:
        return "medium" if thinking.is_shown else None
    if budget <= 0:
        return "none" if budget == 0 else "medium"
    return next((effort for bound, effort in _BUDGETS if budget <= bound), "max")


class _ReadNova(msgspec.Struct, rename="camel"):
    type: str = ""
    max_reasoning_effort: Effort | None = None


class _ReadEffort(msgspec.Struct):
    effort: Effort | None = None


class _ReadSampling(msgspec.Struct, rename="camel"):
    top_k: Int64 | None = None


class _ReadType(msgspec.Struct):
    type: str = ""


def read_extra(fields: dict[str, msgspec.Raw], chat: Chat, effort: str | None) -> None:
    """What a client sends there. `effort` stands in `outputConfig`. Raises BadRequest."""
    claude = effort
    field: ThinkingField | None = None
    for name, raw in fields.items():
        place = f"additionalModelRequestFields.{name}"
        if name == "thinking" or (name == "reasoning_config" and bytes(raw)[:1] == b"{"):
            field = _typed(raw, ThinkingField, place)
        elif name in {"reasoning_effort", "reasoning_config"}:
            chat.thinking = Thinking(effort=_typed(raw, Effort, place))
        elif name in {"reasoning", "output_config"}:
            claude = _typed(raw, _ReadEffort, place).effort or claude
        elif name == "reasoningConfig":
            nova = _typed(raw, _ReadNova, place)
            chat.thinking = Thinking(effort=nova.max_reasoning_effort if nova.type == "enabled" else "none")
        elif name == "inferenceConfig":
            chat.top_k = _typed(raw, _ReadSampling, place).top_k
        elif name in {"top_k", "topK"}:
            chat.top_k = _typed(raw, Int64, place)
        elif name == "tool_choice" and _typed(raw, _ReadType, place).type == "none":
            chat.tool_choice = ToolChoice(mode="none")
        else:
            chat.unmapped.append(place)
    if field is not None or claude is not None:
        chat.thinking = read_thinking(field, claude)


def _typed(raw: msgspec.Raw, kind: Any, place: str) -> Any:
    try:
        return msgspec.json.decode(raw, type=kind)
    except UNREAD as error:
        raise BadRequest(f"invalid value for `{place}`: {error}", param=place, code="invalid_type") from None
