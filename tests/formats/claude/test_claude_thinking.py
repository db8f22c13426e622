from __future__ import annotations

import pytest

from gateline.formats.claude.models import abilities
from gateline.formats.claude.thinking import ThinkingField, plan_thinking
from gateline.model.chat import Effort, Thinking


@pytest.mark.parametrize(
    ("effort", "word"),
    [("minimal", "low"), ("low", "low"), ("medium", "medium"), ("high", "high"), ("xhigh", "xhigh"), ("max", "max")],
)
def test_newer_models_think_by_effort(effort: Effort, word: str) -> None:
    """An effort passes as it is where the model knows the word, else as the nearest that it knows."""
    plan = plan_thinking(Thinking(effort=effort), abilities("claude-opus-4-8"), 9)
    assert (plan.field, plan.effort, plan.is_dropped) == (ThinkingField("adaptive"), word, False)
    if effort == "xhigh":
        assert plan_thinking(Thinking(effort=effort), abilities("claude-opus-4-6"), 9).effort == "max"


@pytest.mark.parametrize(
    ("budget", "word"),
    [(1_024, "low"), (8_000, "medium"), (16_000, "high"), (30_000, "xhigh"), (64_000, "max"), (-1, None)],
)
def test_a_budget_becomes_an_effort(budget: int, word: str | None) -> None:
    """Models that take no budget are asked by the effort that is about as much; `-1` leaves it to them."""
    plan = plan_thinking(Thinking(budget=budget), abilities("claude-opus-5"), None)
    assert (plan.field, plan.effort) == (ThinkingField("adaptive"), word)


@pytest.mark.parametrize(
    ("effort", "tokens"),
    [("minimal", 1_024), ("low", 2_048), ("medium", 8_192), ("high", 16_384), ("xhigh", 32_000), ("max", 32_000)],
)
def test_older_models_think_by_budget(effort: Effort, tokens: int) -> None:
    """An effort becomes a budget, and the bound leaves room for an answer where the client set none."""
    plan = plan_thinking(Thinking(effort=effort), abilities("claude-haiku-4-5"), None)
    assert plan.field == ThinkingField("enabled", tokens)
    assert plan.max_tokens == max(32_000, tokens + 4_096)


@pytest.mark.parametrize("thinking", [Thinking(budget=5_000), Thinking(effort="max"), Thinking(budget=10)])
@pytest.mark.parametrize("bound", [1_025, 2_000, 5_000, 5_001, 100_000])
def test_a_budget_stays_under_the_bound(thinking: Thinking, bound: int) -> None:
    """A budget is at least 1,024 and less than `max_tokens`, whatever was asked for."""
    plan = plan_thinking(thinking, abilities("claude-sonnet-4-5"), bound)
    assert plan.field is not None
    assert plan.field.budget_tokens is not None
    assert 1_024 <= plan.field.budget_tokens < plan.max_tokens == min(bound, 64_000)


def test_a_bound_too_small_for_thinking_drops_it() -> None:
    """With 1,024 tokens or fewer there is no room for the least of budgets; neither is there in models without."""
    assert plan_thinking(Thinking(effort="low"), abilities("claude-haiku-4-5"), 1_024).is_dropped
    assert plan_thinking(Thinking(effort="low"), abilities("claude-3-haiku-20240307"), None).is_dropped


@pytest.mark.parametrize("thinking", [Thinking(effort="none"), Thinking(budget=0)])
def test_thinking_is_turned_off_in_the_models_way(thinking: Thinking) -> None:
    """By leaving the field out, by one of two words, or not at all: then with the least effort, and it is told."""
    assert plan_thinking(thinking, abilities("claude-haiku-4-5"), 9).field is None
    assert plan_thinking(thinking, abilities("claude-opus-5"), 9).field == ThinkingField("disabled")
    assert plan_thinking(thinking, abilities("claude-sonnet-5-5"), 9).field == ThinkingField("between_tools")
    plan = plan_thinking(thinking, abilities("claude-opus-5-5"), 9)
    assert (plan.field, plan.effort, plan.is_dropped) == (None, "low", True)


def test_whether_it_is_shown_is_asked_for() -> None:
    """A wish to see thinking turns it on; a wish not to is heeded too."""
    able = abilities("claude-opus-5")
    assert plan_thinking(Thinking(is_shown=True), able, 9).field == ThinkingField("adaptive", display="summarized")
    assert plan_thinking(Thinking(effort="low", is_shown=False), able, 9).field == ThinkingField(
        "adaptive", None, "omitted"
    )
    assert plan_thinking(Thinking(is_shown=False), able, 9).field is None
    older = plan_thinking(Thinking(budget=2_000, is_shown=False), abilities("claude-haiku-4-5"), 9_000)
    assert older.field == ThinkingField("enabled", 2_000, "omitted")


def test_a_bound_beyond_the_models_is_cut() -> None:
    """A bound over what the model can write would be refused, and says no more than its limit."""
    assert plan_thinking(None, abilities("claude-haiku-4-5"), 1_000_000).max_tokens == 64_000
    assert plan_thinking(None, abilities("some-model"), 1_000_000).max_tokens == 1_000_000
    assert plan_thinking(None, abilities("some-model"), None).max_tokens == 4_096
