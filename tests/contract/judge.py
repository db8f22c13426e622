"""Whether what a client was shown is what the vendor said, and whether the ledger has it."""

from __future__ import annotations

from gateline.fake.answer import Answer
from gateline.model.usage import Usage
from tests.contract.libraries import Speaker
from tests.contract.shown import Shown
from tests.contract.stage import Stage
from tests.contract.vendors import VENDORS, Vendor
from tests.journey.gate import Row, tokens_of

_EXPLAINED = "The fake provider was told to refuse."  # Anthropic's word beside a refusal


def check_answer(stage: Stage, speaker: Speaker, vendor: Vendor, shown: Shown, answer: Answer) -> None:
    """`answer` is what the fake said in no format. A vendor that speaks the client's format beside its own was asked
    in that."""
    if stage.line().path == "/v1/chat/completions":
        vendor = VENDORS["chat"]
    if answer.finish == "refusal":
        _check_refusal(speaker, vendor, shown, answer)
    else:
        assert (shown.words, shown.finish) == (answer.text, answer.finish)
    assert shown.calls == [(call.name, call.arguments) for call in answer.calls]
    assert shown.thought == "".join(answer.thought or [])
    reported = stage.line().reported
    assert reported is not None
    told = (reported.input, reported.output, reported.cached, reported.reasoning)
    expected = tuple(None if seen is None else count for seen, count in zip(shown.usage, told, strict=True))
    assert shown.usage == expected


def _check_refusal(speaker: Speaker, vendor: Vendor, shown: Shown, answer: Answer) -> None:
    assert shown.words in {"", _EXPLAINED} if vendor.mute else shown.words == answer.text
    if speaker.refuses:
        assert shown.finish == vendor.refusal
    else:
        assert shown.finish in {"stop", "refusal"}


def check_record(row: Row, reported: Usage | None) -> None:
    """The ledger has a call as answered, with the tokens that its vendor `reported`, or as failed."""
    if reported is None:
        assert row["error"], row
        return
    assert (row["status"], row["error"], row["usage_source"]) == (200, "", "provider"), row
    assert tokens_of(row) == (reported.input, reported.output, reported.cached, reported.reasoning), row
