from __future__ import annotations

import pytest

from gateline.formats.claude.models import abilities


@pytest.mark.parametrize(
    ("names", "mode", "off", "efforts", "samples"),
    [
        (("claude-3-haiku-20240307", "anthropic.claude-3-5-sonnet-20241022-v2:0"), "none", "unasked", 0, "both"),
        (("claude-3-7-sonnet-20250219", "claude-3-7-sonnet@20250219"), "budget", "unasked", 0, "both"),
        (
            ("claude-opus-4-20250514", "claude-4-sonnet-20250514", "claude-sonnet-4@20250514"),
            "budget",
            "unasked",
            0,
            "both",
        ),
        (("claude-opus-4-1-20250805",), "budget", "unasked", 0, "one"),
        (("claude-haiku-4-5-20251001", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"), "budget", "unasked", 0, "one"),
        (("claude-opus-4-5@20251101", "anthropic/claude-opus-4.5"), "budget", "unasked", 3, "one"),
        (("claude-sonnet-4-6", "claude-opus-4-6-v1"), "adaptive", "unasked", 4, "one"),
        (("claude-opus-4-8", "Claude-Opus-4-7"), "adaptive", "unasked", 5, "none"),
        (("claude-opus-5", "claude-sonnet-5", "claude-haiku-5-5"), "adaptive", "disabled", 5, "none"),
        (("claude-sonnet-5-5",), "adaptive", "between_tools", 5, "none"),
        (("claude-opus-5-5", "claude-fable-5", "claude-mythos-5-2", "claude-opus-7"), "adaptive", "never", 5, "none"),
        (("claude-mythos-preview",), "adaptive", "never", 4, "one"),
        (
            ("deepseek-chat", "kimi-k2", "arn:aws:bedrock:eu:1:application-inference-profile/x"),
            "budget",
            "unasked",
            0,
            "both",
        ),
    ],
)
def test_a_version_is_read_from_any_name(
    names: tuple[str, ...], mode: str, off: str, efforts: int, samples: str
) -> None:
    """What a model takes follows from its version, whichever vendor's name it is called by."""
    for name in names:
        able = abilities(name)
        assert (able.mode, able.off, len(able.efforts), able.samples) == (mode, off, efforts, samples), name


def test_only_some_take_instructions_between_turns() -> None:
    """Opus since 4.8, as the vendor's documentation says; nobody who is not named there."""
    for name in ("claude-opus-4-8", "claude-opus-5", "anthropic/claude-opus-5-5"):
        assert abilities(name).instructs
    for name in ("claude-opus-4-7", "claude-sonnet-5", "claude-haiku-5-5", "claude-mythos-preview", "other"):
        assert not abilities(name).instructs


def test_only_some_can_be_forced_and_begun() -> None:
    """Newer models take neither the beginning of an answer nor, from 5.1 on, a tool that must be called."""
    assert abilities("claude-haiku-4-5").prefills
    assert not abilities("claude-opus-4-6").prefills
    assert abilities("claude-fable-5").forces
    assert abilities("claude-haiku-5-5").forces
    assert not abilities("claude-fable-5-1").forces
    assert not abilities("claude-sonnet-5-5").forces
