"""How much to reason: `thinkingConfig`, which differs by the model's generation.

ai.google.dev/gemini-api/docs/thinking: Gemini 3 takes `thinkingLevel`, 2.5 takes `thinkingBudget`, and each answers the
other's with 400, as older models do to both. What an effort is in tokens says ai.google.dev/gemini-api/docs/openai.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from gateline.model.chat import Effort, Thinking

_VERSION = re.compile(r"gemini-(?:[a-z]+-)*(\d+)(?:\.(\d+))?")
_LATEST = re.compile(r"gemini-(?:[a-z]+-)+latest")
_MUTE = ("image", "tts", "embedding", "native-audio")  # of these models' names: they do not reason
_EFFORTS: dict[str, Effort] = {
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
}
_BUDGETS: dict[Effort, int] = {
    "none": 0,
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24_576,
    "xhigh": 32_768,
    "max": 32_768,
}


class ThinkingConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    include_thoughts: bool | None = None
    thinking_budget: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    thinking_level: str | None = None


def generation(model: str) -> tuple[int, int]:
    """Of a model by its name, such as (2, 5); what is always the latest counts as 3, what is no Gemini as 0."""
    found = _VERSION.search(model)
    if found is not None:
        return int(found[1]), int(found[2] or 0)
    return (3, 0) if _LATEST.search(model) else (0, 0)


def read_thinking(config: ThinkingConfig) -> Thinking:
    level = (config.thinking_level or "").lower()
    return Thinking(effort=_EFFORTS.get(level), budget=config.thinking_budget, is_shown=config.include_thoughts)


def write_thinking(thinking: Thinking, model: str) -> ThinkingConfig | None:
    """None where the model cannot be asked."""
    model = model.rpartition("/")[2]  # its own name, without the project's
    version = generation(model)
    if version < (2, 5) or any(word in model for word in _MUTE):
        return None
    config = ThinkingConfig(include_thoughts=True if thinking.is_shown else None)
    if version >= (3, 0):
        config.thinking_level = _level(thinking, model, version)
        return config
    budget = _BUDGETS[thinking.effort] if thinking.effort is not None else thinking.budget
    if budget is not None:
        config.thinking_budget = _bounded(budget, model)
    if config.thinking_budget == 0:
        config.include_thoughts = None
    return config


def _level(thinking: Thinking, model: str, version: tuple[int, int]) -> str | None:
    effort = thinking.effort
    if effort is None:
        budget = thinking.budget
        if budget is None or budget < 0:
            return None
        effort = next((name for name in ("none", "low", "medium") if budget <= _BUDGETS[name]), "high")
    if effort in {"none", "minimal"}:
        # The least there is: no model of this generation can be kept from reasoning, and only some know "minimal".
        return "minimal" if "flash" in model and version < (3, 6) else "low"
    if effort == "medium" and "pro" in model and version < (3, 1):
        return "high"
    return effort if effort in {"low", "medium"} else "high"


def _bounded(budget: int, model: str) -> int:
    """Within what the model takes (ai.google.dev/gemini-api/docs/thinking#set-budget). -1: the model decides."""
    if budget < 0:
        return -1
    if "pro" in model:
        return min(max(budget, 128), 32_768)
    if budget == 0:
        return 0
    return min(max(budget, 512 if "lite" in model else 1), 24_576)
