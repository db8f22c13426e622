"""Reasoning that was made by another vendor, in a call that passes to one of this format."""

from __future__ import annotations

import msgspec

from gateline.formats.call import read_call
from gateline.formats.responses.continued import for_vendor


def test_reasoning_that_was_named_here_does_not_pass() -> None:
    """OpenAI would look for such an item and answer 404; its own, sealed or kept by it, passes byte for byte."""
    ours = {"type": "reasoning", "id": "rs_abc_0", "summary": []}
    kept = {"type": "reasoning", "id": "rs_0a1b2c", "summary": []}
    sealed = {"type": "reasoning", "id": "rs_abc_1", "summary": [], "encrypted_content": "gAAAA"}
    said = {"role": "user", "content": "rs_abc_0"}
    body = msgspec.json.encode({"model": "m", "input": [said, ours, kept, sealed]})
    passed = for_vendor(read_call(body, "responses"))
    assert msgspec.json.decode(passed.fields["input"]) == [said, kept, sealed]


def test_a_call_without_it_is_not_touched() -> None:
    """Not even copied."""
    body = msgspec.json.encode({"model": "m", "input": [{"type": "reasoning", "id": "rs_0a1b2c", "summary": []}]})
    call = read_call(body, "responses")
    assert for_vendor(call) is call
