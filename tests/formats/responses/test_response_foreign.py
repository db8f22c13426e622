"""Reasoning that was made by another vendor, in a call that passes to one of this format."""

from __future__ import annotations

import msgspec

from gateline.formats.call import read_call
from gateline.formats.dialect import PLAIN
from gateline.formats.foreign import holds_foreign
from gateline.formats.responses.passing import for_vendor


def test_reasoning_that_was_named_here_does_not_pass() -> None:
    """OpenAI would look for such an item and answer 404; its own, sealed or kept by it, passes byte for byte."""
    ours = {"type": "reasoning", "id": "rs_abc_0", "summary": []}
    kept = {"type": "reasoning", "id": "rs_0a1b2c", "summary": []}
    sealed = {"type": "reasoning", "id": "rs_abc_1", "summary": [], "encrypted_content": "gAAAA"}
    said = {"role": "user", "content": "rs_abc_0"}
    body = msgspec.json.encode({"model": "m", "input": [said, ours, kept, sealed]})
    assert holds_foreign("responses", body, PLAIN)
    passed, lost = for_vendor(read_call(body, "responses"), "m", PLAIN)
    assert msgspec.json.decode(passed.fields["input"]) == [said, kept, sealed]
    assert lost == ["input.reasoning"]


def test_a_call_without_it_is_not_touched() -> None:
    """Nobody looks into it."""
    body = msgspec.json.encode({"model": "m", "input": [{"type": "reasoning", "id": "rs_0a1b2c", "summary": []}]})
    assert not holds_foreign("responses", body, PLAIN)
