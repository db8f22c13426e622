"""How much to reason, in the ways OpenAI-compatible vendors are asked, and between effort and budget.

Effort: platform.openai.com/docs/guides/reasoning. `reasoning`: openrouter.ai/docs/use-cases/reasoning-tokens.
`thinking`: docs.z.ai, platform.moonshot.ai, volcengine.com/docs/82379. `enable_thinking`: Alibaba Model Studio, "Deep
thinking".
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateline.formats.typed import Int64
from gateline.model.chat import Effort, Thinking

_BUDGETS: dict[Effort, int] = {
    "none": 0, "minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768,
}  # fmt: skip
_WIDELY_KNOWN: dict[Effort, Effort] = {"minimal": "low", "xhigh": "high", "max": "high"}


class ReasoningObject(msgspec.Struct):
    """OpenRouter's way."""

    effort: Effort | None = None
    max_tokens: Int64 | None = None
    enabled: bool | None = None
    exclude: bool | None = None


class ThinkingObject(msgspec.Struct):
    """Z.ai's and Moonshot's way; Anthropic's too, which LiteLLM's users send."""

    type: str
    budget_tokens: Int64 | None = None


def read_thinking(
    effort: Effort | None,
    reasoning: ReasoningObject | None,
    thinking: ThinkingObject | None,
    is_enabled: bool | None,
    budget: int | None,
) -> Thinking | None:
    """What the client said in whichever way. None: nothing."""
    if effort is not None:
        return Thinking(effort=effort)
    if reasoning is not None:
        shown = None if reasoning.exclude is None else not reasoning.exclude
        if reasoning.enabled is False:
            return Thinking(budget=0, is_shown=shown)
        if reasoning.effort is None and reasoning.max_tokens is None:
            return Thinking(budget=-1, is_shown=shown)
        return Thinking(effort=reasoning.effort, budget=reasoning.max_tokens, is_shown=shown)
    if thinking is not None:
        return Thinking(budget=0 if thinking.type == "disabled" else thinking.budget_tokens or -1)
    if is_enabled is not None or budget is not None:
        return Thinking(budget=0 if is_enabled is False else (-1 if budget is None else budget))
    return None


def effort_of(thinking: Thinking) -> Effort | None:
    """The effort asked for, or the one that a budget comes to; None: the model decides."""
    if thinking.effort is not None or thinking.budget is None or thinking.budget < 0:
        return thinking.effort
    for effort in ("none", "minimal", "low", "medium"):
        if thinking.budget <= _BUDGETS[effort]:
            return "low" if effort == "minimal" else effort  # few vendors know `minimal`
    return "high"


def budget_of(thinking: Thinking) -> int | None:
    """The budget asked for, or the one that an effort comes to; None: the model decides."""
    if thinking.budget is not None:
        return thinking.budget if thinking.budget >= 0 else None
    return None if thinking.effort is None else _BUDGETS[thinking.effort]


def write_thinking(thinking: Thinking, way: str, body: dict[str, Any], *, is_openai: bool) -> bool:
    """Asks for it in `way` (see `Dialect.thinking`). False when that way has no words for it. Efforts that only OpenAI
    knows are for others the nearest that all know."""
    if thinking.effort is None and thinking.budget is None and way != "reasoning":
        return True
    is_off = thinking.effort == "none" or thinking.budget == 0
    if way == "reasoning_effort":
        # Models that do not reason refuse the field, `none` included: not asking is what comes nearest.
        if thinking.budget == 0 and thinking.effort is None:
            return False
        effort = effort_of(thinking)
        if effort is not None:
            body[way] = effort if is_openai else _WIDELY_KNOWN.get(effort, effort)
        return True
    if way == "thinking":
        body[way] = {"type": "disabled" if is_off else "enabled"}
        return True
    if way == "enable_thinking":
        body[way] = not is_off
        budget = budget_of(thinking)
        if budget:
            body["thinking_budget"] = budget
        return True
    if way == "reasoning":
        found = _openrouter(thinking, is_off)
        if found:
            body[way] = found
        return True
    return False


def _openrouter(thinking: Thinking, is_off: bool) -> dict[str, Any]:
    if is_off:
        return {"enabled": False}
    found: dict[str, Any] = {}
    if thinking.effort is not None:
        found["effort"] = thinking.effort
    elif thinking.budget is not None:
        if thinking.budget > 0:
            found["max_tokens"] = thinking.budget
        else:
            found["enabled"] = True
    if thinking.is_shown is False:
        found["exclude"] = True
    return found
