"""How much to reason, in Anthropic's words and in ours.

Newer models are asked to think adaptively, by effort; older ones by a budget of tokens. Whichever the client gave is
turned into the other by the table below. A budget is at least 1,024 and less than `max_tokens`
(platform.claude.com/docs, "Extended thinking").
"""

from __future__ import annotations

import msgspec

from gateline.formats.claude.models import Abilities
from gateline.formats.typed import Int64
from gateline.model.chat import Effort, Thinking

# Effort as a budget. Beyond 32k the vendor sees little gain.
_BUDGETS: dict[Effort, int] = {
    "minimal": 1_024,
    "low": 2_048,
    "medium": 8_192,
    "high": 16_384,
    "xhigh": 32_000,
    "max": 32_000,
}
# A budget as effort: the first whose bound it does not pass.
_EFFORTS: tuple[tuple[int, Effort], ...] = ((2_048, "low"), (8_192, "medium"), (16_384, "high"), (32_000, "xhigh"))
# What a model takes in place of a word it does not know, in this order.
_NEAREST: dict[Effort, tuple[Effort, ...]] = {
    "minimal": ("low",),
    "low": ("low",),
    "medium": ("medium",),
    "high": ("high",),
    "xhigh": ("xhigh", "max", "high"),
    "max": ("max", "high"),
}
_WORDS: dict[str, Effort] = {"low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_LEAST = 1_024
_ANSWER = 4_096  # tokens left for the answer where the client set no bound


class ThinkingField(msgspec.Struct, omit_defaults=True):
    type: str = ""
    budget_tokens: Int64 | None = None
    display: str | None = None


class Plan(msgspec.Struct):
    """What goes out. `is_dropped`: the client's wish could not be met."""

    max_tokens: int
    field: ThinkingField | None = None
    effort: Effort | None = None
    is_dropped: bool = False

    @property
    def is_budgeted(self) -> bool:
        return self.field is not None and self.field.type == "enabled"

    @property
    def is_on(self) -> bool:
        return self.field is not None and self.field.type in {"enabled", "adaptive"}


def read_thinking(field: ThinkingField | None, effort: str | None) -> Thinking | None:
    """None when the client said nothing. Anthropic shows thinking by budget unless told otherwise."""
    word = _WORDS.get(effort or "")
    if field is None:
        return None if word is None else Thinking(effort=word)
    is_shown = None if field.display is None else field.display != "omitted"
    if field.type == "enabled":
        return Thinking(effort=word, budget=field.budget_tokens or _LEAST, is_shown=is_shown is not False)
    if field.type == "adaptive":
        return Thinking(effort=word, budget=-1 if word is None else None, is_shown=is_shown)
    return Thinking(budget=0)


def plan_thinking(thinking: Thinking | None, able: Abilities, max_tokens: int | None) -> Plan:
    """`max_tokens` is the client's bound, on reasoning and answer together."""
    bound = able.usual if max_tokens is None else min(max_tokens, able.outputs or max_tokens)
    plan = Plan(bound)
    if thinking is None:
        return plan
    effort, budget = thinking.effort, thinking.budget
    if effort == "none" or budget == 0:
        _turn_off(plan, able)
    elif effort is None and budget is None and not thinking.is_shown:
        pass
    elif able.mode == "none":
        plan.is_dropped = True
    elif able.mode == "adaptive":
        shown = thinking.is_shown
        plan.field = ThinkingField("adaptive", display=None if shown is None else "summarized" if shown else "omitted")
        plan.effort = _fitting(effort or _effort_of(budget), able)
    else:
        _set_budget(plan, thinking, able, has_bound=max_tokens is not None)
    return plan


def _turn_off(plan: Plan, able: Abilities) -> None:
    if able.off == "never":
        plan.effort = able.efforts[0] if able.efforts else None
        plan.is_dropped = True
    elif able.off != "unasked":
        plan.field = ThinkingField(able.off)


def _set_budget(plan: Plan, thinking: Thinking, able: Abilities, *, has_bound: bool) -> None:
    budget = thinking.budget
    tokens = budget if budget is not None and budget > 0 else _BUDGETS[thinking.effort or "medium"]
    tokens = max(tokens, _LEAST)
    if not has_bound:
        plan.max_tokens = min(max(plan.max_tokens, tokens + _ANSWER), able.outputs or tokens + _ANSWER)
    if plan.max_tokens <= _LEAST:
        plan.is_dropped = True
        return
    if tokens >= plan.max_tokens or (has_bound and budget is None and tokens * 2 > plan.max_tokens):
        tokens = max(plan.max_tokens // 2, _LEAST)
    plan.field = ThinkingField("enabled", tokens, "omitted" if thinking.is_shown is False else None)


def _effort_of(budget: int | None) -> Effort | None:
    if budget is None or budget < 0:
        return None
    return next((effort for bound, effort in _EFFORTS if budget <= bound), "max")


def _fitting(effort: Effort | None, able: Abilities) -> Effort | None:
    """The nearest word the model takes."""
    if effort is None or effort == "none":
        return None
    return next((word for word in _NEAREST[effort] if word in able.efforts), None)
