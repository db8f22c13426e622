from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CompletionUsage

from gateline.formats.openai.usage import is_json_object, read_usage, usage_in_tail, usage_of_reply
from gateline.model.usage import PRICE_SCALE, Price, Usage, cost

USAGE: dict[str, Any] = {
    "prompt_tokens": 20, "completion_tokens": 30, "total_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 5, "accepted_prediction_tokens": 0},
}  # fmt: skip


def reply(usage: object, content: str = "hi", **more: object) -> bytes:
    choices = [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}]
    return json.dumps({"id": "c", "choices": choices, "usage": usage, **more}).encode()


def test_all_counts_are_read() -> None:
    """Input, output, cached and reasoning tokens arrive, from an object the vendor's own type accepts."""
    CompletionUsage.model_validate(USAGE)
    assert read_usage(reply(USAGE)) == Usage(20, 30, 8, 5)


def test_cached_sound_is_told_apart() -> None:
    """Sound out of the prompt cache is neither paid as sound nor as cached text."""
    kinds = {"text_tokens": 2, "audio_tokens": 6}
    details = {"cached_tokens": 8, "audio_tokens": 9, "cached_tokens_details": kinds}
    read = read_usage(reply({**USAGE, "prompt_tokens_details": details}))
    assert read == Usage(20, 30, 8, 5, input_audio=9, cached_audio=6)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 3, "total_tokens": 3}, Usage(3, 0)),
        ({"prompt_tokens": 3, "total_tokens": 9}, Usage(3, 6)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": None}, Usage(3, 4)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": None}}, Usage(3, 4)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(0, 0)),
        ({}, None), (None, None), ({"completion_tokens": 4}, None), ([], None), (5, None),
        ({"prompt_tokens": "3"}, None), ({"prompt_tokens": -3}, None), ({"prompt_tokens": 2**60}, None),
        ({"prompt_tokens": 3.5}, None), ({"prompt_tokens": True}, None),
    ],
)  # fmt: skip
def test_unknown_is_none_and_never_zero(usage: object, expected: Usage | None) -> None:
    """What is missing or nonsense is no usage at all; details may be missing."""
    assert read_usage(reply(usage)) == expected
    assert usage_in_tail(reply(usage)[40:]) == expected


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b"null", b"{", b"[" * 100_000, b'{"usage":{"prompt_tokens":1', b"\xff"]
)
def test_garbage_has_no_usage(body: bytes) -> None:
    """What is no JSON object has no usage and raises nothing."""
    assert read_usage(body) is None
    assert usage_in_tail(body) is None


@given(st.text(), st.integers(0, 60), st.booleans())
def test_the_tail_says_what_the_whole_says(content: str, cut: int, last: bool) -> None:
    """For any content, usage read from the end equals usage read from the whole, wherever usage stands."""
    body = reply(USAGE, content) if last else reply(USAGE, content, system_fingerprint=content, more={"usage": 1})
    assert usage_in_tail(body[cut:]) == read_usage(body)


@given(
    st.text(), st.booleans(), st.sampled_from([USAGE, None, {}, 5, "usage", ["usage"], {"usage": USAGE}]), st.booleans()
)
def test_the_short_way_to_the_usage_says_what_a_full_parse_says(
    content: str, last: bool, more: object, escaped: bool
) -> None:
    """For any valid reply, wherever its usage stands and whatever else is called so."""
    body = reply(USAGE, content, more=more) if last else reply(more, content, nested={"usage": USAGE})
    if escaped:
        body = body.replace(b'"usage"', b'"us\\u0061ge"', 1)
    assert usage_of_reply(body) == read_usage(body)


@pytest.mark.parametrize(
    "fake",
    [
        '"usage":{"prompt_tokens":1,"completion_tokens":1}}',
        '\\"usage":{"prompt_tokens":1,"completion_tokens":1}}',
        ', "usage": {"prompt_tokens":1,"completion_tokens":1}}',
        '"usage"' * 50,
    ],
)
def test_text_about_usage_fools_nobody(fake: str) -> None:
    """Usage inside a string, a nested object or a tool's arguments is not the reply's usage."""
    assert usage_in_tail(reply(USAGE, fake)[30:]) == Usage(20, 30, 8, 5)
    assert usage_in_tail(reply(None, fake)[30:]) is None
    nested = reply(None, "x", tool={"usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    assert usage_in_tail(nested[30:]) is None


@pytest.mark.parametrize(
    ("body", "is_object"),
    [
        (b"{}", True), (b' \r\n{"a":1}\n', True), (b"", False), (b"[]", False), (b"<html>", False), (b"{", False),
        (b"}", False), (b'{"a":1}]', False), (b"null", False),
    ],
)  # fmt: skip
def test_a_json_object_is_told_from_its_ends(body: bytes, is_object: bool) -> None:
    """An object begins and ends with braces; HTML, arrays, nothing and truncation do not."""
    assert is_json_object(body) is is_object


def test_a_nonsense_count_is_no_count() -> None:
    """What no call can have used is unknown; whatever is known has a cost that fits the ledger's 64 bits."""
    most = 1_000_000_000
    body = b'{"usage":{"prompt_tokens":%d,"completion_tokens":%d}}'
    assert read_usage(body % (most + 1, 1)) is None
    usage = read_usage(body % (most, most))
    assert usage is not None
    dearest = 1_000_000 * 1_000 * PRICE_SCALE  # a million dollars per million tokens: what a configuration may say
    assert cost(usage, Price(dearest, dearest, dearest)) < 2**63
