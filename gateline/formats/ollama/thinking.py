"""How much to reason: Ollama's `think` (docs.ollama.com/capabilities/thinking).

It is true or false, or a level for the models that know levels (gpt-oss; older servers answer a level for any other
with 400). For a model that cannot think, `true` is answered with 400 too, whereas one that can thinks unless told
otherwise: so a wish to think goes without saying.
"""

from __future__ import annotations

from gateline.model.chat import Effort, Thinking
from gateline.model.errors import BadRequest

_LEVELS: dict[str, Effort] = {
    "none": "none", "minimal": "minimal", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh",
    "max": "max",
}  # fmt: skip
_WRITTEN: dict[Effort, str] = {
    "minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high",
}  # fmt: skip
# A budget as a level: the first whose bound it does not pass.
_BUDGETS = ((2_048, "low"), (8_192, "medium"))
_LEVELLED = "gpt-oss"


def read_thinking(think: bool | str | None) -> Thinking | None:
    """None when the client said nothing. Raises BadRequest for a level that nobody knows."""
    if think is None or think == "":
        return None
    if isinstance(think, bool):
        return Thinking(budget=-1, is_shown=True) if think else Thinking(budget=0)
    level = _LEVELS.get(think)
    if level is None:
        raise BadRequest(
            f"invalid value for `think`: {think[:64]!a} is no boolean, and no level such as 'low' or 'high'",
            param="think",
            code="invalid_value",
        )
    return Thinking(effort=level, is_shown=True)


def write_thinking(thinking: Thinking | None, model: str) -> tuple[bool | str | None, bool]:
    """What to send, if anything, and whether the client's wish is met by it."""
    if thinking is None or (thinking.effort is None and thinking.budget is None):
        return None, True
    effort, budget = thinking.effort, thinking.budget
    is_off = effort == "none" or (effort is None and budget == 0)
    if _LEVELLED in model.lower():
        if is_off:
            return "low", False  # these cannot be kept from it
        if effort is not None:
            return _WRITTEN[effort], True
        return (None if budget is None or budget < 0 else _level(budget)), True
    if is_off:
        return False, True
    return None, effort is None and budget is not None and budget < 0


def _level(budget: int) -> str:
    return next((level for bound, level in _BUDGETS if budget <= bound), "high")
