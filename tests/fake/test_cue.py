"""Cues: one text syntax for faults and pace."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.fake.cue import FAULTS, NO_CUE, SCENES, BadCue, Cue, parse_cue, split_model


def test_a_fault_its_details_and_the_pace_go_together() -> None:
    """Faults, details and pace are parts of one text, dashes and underscores alike."""
    cue = parse_cue("status=503, retry-after=2,latency=0.25")
    assert cue == Cue(fault="status", value=503, retry_after=2, latency=0.25)
    assert parse_cue("reset,after=3").after == 3
    assert parse_cue("stall").value is None
    assert parse_cue("stall=1.5").value == 1.5
    assert parse_cue("gzip,huge=1000") == Cue(fault="huge", value=1000, gzip=True)
    assert parse_cue(" , ") == NO_CUE


def test_what_the_model_answers_is_a_part_of_the_cue() -> None:
    """Scenes have a meaning without a value, go with a fault, and are asked for by a model's name."""
    cue = parse_cue("tools,arguments=one,reasoning-text,finish=length,cut,after=3")
    assert (cue.tools, cue.arguments, cue.reasoning_text, cue.finish) == (1, "one", "shown", "length")
    assert (cue.fault, cue.after) == ("cut", 3)
    assert parse_cue("tools=2,reasoning_text=hidden,citations=0").citations is False
    for scene in SCENES:
        assert split_model(f"m@{scene}") == ("m", parse_cue(scene))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("statsu=503", "statsu"),
        ("status", "needs a number"),
        ("status=99", "200 to 599"),
        ("status=503,reset", "both faults"),
        ("status=503,after=2", "'after' goes with"),
        ("reset=maybe", "takes no value"),
        ("reset,after=-1", "negative"),
        ("tps=0", "above 0"),
        ("latency=soon", "latency"),
        ("interim=200", "interim"),
        ("tools=17", "at most 16"),
        ("arguments=some", "arguments"),
        ("finish=stop", "finish"),
        ("cache_write=-1", "negative"),
    ],
)
def test_a_bad_cue_says_what_is_wrong(text: str, part: str) -> None:
    """A cue that cannot be meant is refused with the part that is at fault."""
    with pytest.raises(BadCue, match=part):
        parse_cue(text)


@given(st.text(max_size=60) | st.from_regex(r"[a-z_]{1,8}(=[0-9.\-]{0,5})?(,[a-z_]{1,8}(=[0-9]{0,4})?){0,3}"))
def test_any_text_is_a_cue_or_a_bad_cue(text: str) -> None:
    """No text makes the parser fail in another way."""
    with contextlib.suppress(BadCue):
        assert isinstance(parse_cue(text), Cue)


@given(st.sampled_from(sorted(FAULTS)))
def test_every_fault_can_be_asked_for_by_a_models_name(fault: str) -> None:
    """Each fault works as a suffix of the model's name, which every gateway forwards."""
    needs = {"status": "=503", "huge": "=1000", "length": "=10"}
    model, cue = split_model(f"gpt-4o@{fault}{needs.get(fault, '')}")
    assert (model, cue.fault) == ("gpt-4o", fault)


@pytest.mark.parametrize("model", ["gpt-4o", "claude-3-5-sonnet@20240620", "a@b@c", "@", "x@"])
def test_a_name_with_a_version_is_not_a_cue(model: str) -> None:
    """Vendors write versions after an `@`: such a name stays whole."""
    assert split_model(model) == (model, NO_CUE)


def test_a_misspelt_cue_in_a_name_is_refused() -> None:
    """What looks like a cue and is none does not silently become a model's name."""
    with pytest.raises(BadCue, match="statsu"):
        split_model("gpt-4o@statsu=503")
