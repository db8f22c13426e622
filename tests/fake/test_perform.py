"""Answers are a function of what was asked and of the cue."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.fake.ask import Ask, Tool
from gateline.fake.cue import NO_CUE, parse_cue
from gateline.fake.perform import perform, total

TOOL = Tool("weather", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})


def ask(text: bytes = b'"a"', *, tools: tuple[Tool, ...] = (), is_answered: bool = False, **fields: int | None) -> Ask:
    return Ask(model="m", asked=text, tools=tools, is_answered=is_answered, limit=fields.get("limit"))


def test_the_same_question_has_the_same_answer() -> None:
    """Model and conversation decide the words, nothing else does."""
    one, again, other = (perform(ask(text), "m", NO_CUE, 8) for text in (b'"a"', b'"a"', b'"b"'))
    assert one == again
    assert one.words != other.words
    assert perform(ask(), "n", NO_CUE, 8).words != one.words


@given(st.integers(0, 40), st.none() | st.integers(0, 60))
def test_the_answer_has_the_length_asked_for(length: int, limit: int | None) -> None:
    """The request's limit cuts the answer and shows in the finish reason; usage counts what is there."""
    answer = perform(ask(limit=limit), "m", parse_cue("cached=3,reasoning=5"), length)
    expected = length if limit is None else min(length, limit)
    assert len(answer.words) == expected
    assert answer.finish == ("stop" if expected == length else "length")
    assert answer.usage.output == expected + 5
    assert answer.usage.reasoning == 5
    assert answer.usage.cached <= answer.usage.input


@given(st.integers(0, 100), st.integers(0, 100))
def test_cached_and_written_tokens_are_parts_of_the_input(cached: int, written: int) -> None:
    """However many a cue asks for, the parts never sum to more than the whole."""
    usage = perform(ask(b"x" * 80), "m", parse_cue(f"cached={cached},cache_write={written}"), 1).usage
    assert usage.input == 20
    assert usage.cached == min(cached, 20)
    assert usage.cached + usage.cache_write <= usage.input


def test_a_tool_is_called_until_its_result_is_there() -> None:
    """The cue calls the request's first tool with arguments that fit; behind a result, the answer is text."""
    answer = perform(ask(tools=(TOOL,)), "m", parse_cue("tools"), 8)
    (call,) = answer.calls
    assert (call.name, list(call.arguments), answer.finish, answer.words) == ("weather", ["city"], "tools", [])
    assert msgspec.json.decode("".join(call.pieces)) == call.arguments
    assert len(call.pieces) > 1
    after = perform(ask(tools=(TOOL,), is_answered=True), "m", parse_cue("tools"), 8)
    assert (after.calls, after.finish, len(after.words)) == ((), "stop", 8)
    assert perform(ask(), "m", parse_cue("tools"), 8).calls == ()


@pytest.mark.parametrize(
    ("cue", "pieces", "inline", "late"),
    [("arguments=none", 0, False, False), ("arguments=one", 1, True, False), ("arguments=done", 1, False, True)],
)
def test_arguments_come_as_the_cue_says(cue: str, pieces: int, inline: bool, late: bool) -> None:
    """None at all, all with the name, or all at the end."""
    answer = perform(ask(tools=(TOOL,)), "m", parse_cue(f"tools=2,{cue}"), 8)
    assert [(len(call.pieces), call.inline, call.late) for call in answer.calls] == [(pieces, inline, late)] * 2
    assert len({call.id for call in answer.calls}) == 2


def test_text_goes_before_the_calls_where_its_length_is_told() -> None:
    """`tokens` with `tools` is an answer of both."""
    answer = perform(ask(tools=(TOOL,)), "m", parse_cue("tools,tokens=3"), 3)
    assert (len(answer.words), len(answer.calls), answer.finish) == (3, 1, "tools")


def test_a_refusal_a_quote_and_json() -> None:
    """Each cue shapes the text: refused, quoted in its second half, JSON."""
    assert perform(ask(), "m", parse_cue("refusal"), 8).finish == "refusal"
    quoted = perform(ask(), "m", parse_cue("citations"), 8)
    (quote,) = quoted.quotes
    assert quoted.text[quote.start : quote.end] == quote.text != ""
    assert set(msgspec.json.decode(perform(ask(), "m", parse_cue("json"), 8).text)) == {"answer"}
    assert perform(ask(), "m", parse_cue("finish=length"), 8).finish == "length"


def test_reasoning_is_counted_on_top_of_the_text() -> None:
    """Its words are tokens; a hidden one has none to show; the cue's number wins."""
    shown = perform(ask(), "m", parse_cue("reasoning_text"), 8)
    assert shown.thought is not None
    assert shown.usage.reasoning == len(shown.thought) == shown.usage.output - 8
    assert perform(ask(), "m", parse_cue("reasoning_text=hidden"), 8).thought == []
    assert perform(ask(), "m", parse_cue("reasoning_text,reasoning=40"), 8).usage.reasoning == 40


def test_choices_differ_and_their_output_is_summed() -> None:
    """The prompt of several choices counts once, each one's words count."""
    answers = [perform(ask(), "m", NO_CUE, 8, choice) for choice in range(3)]
    assert len({answer.text for answer in answers}) == 3
    assert total(answers) == msgspec.structs.replace(answers[0].usage, output=24)
