"""A cue: what one request is told to do beyond answering well. One short text syntax, wherever it is written.

`status=503,retry_after=2` · `reset,after=2` · `latency=0.2,tps=50` · `tools=2,arguments=one`: at most one fault, its
details, the pace, and what the model answers with.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

FaultName = Literal[
    "bad_chunk",
    "bad_json",
    "big_head",
    "close",
    "cut",
    "drip",
    "endless",
    "error_event",
    "false_type",
    "garbage",
    "huge",
    "interim",
    "length",
    "no_done",
    "redirect",
    "reset",
    "second",
    "stall",
    "status",
    "wrong_type",
]
FAULTS: frozenset[str] = frozenset(get_args(FaultName))
# Faults whose number has no sensible default, and what the number is.
_NEEDS_VALUE = {"status": "an HTTP status", "huge": "bytes", "length": "bytes announced beyond those sent"}
_TAKES_VALUE = frozenset({"status", "huge", "length", "stall", "drip", "interim", "big_head", "redirect"})
# Parts that say what the model answers, and what they mean without a value.
SCENES = {
    "tools": "1",
    "reasoning_text": "shown",
    "refusal": "true",
    "citations": "true",
    "json": "true",
    "logprobs": "true",
    "split": "true",
}
_TAKES_AFTER = frozenset({"reset", "stall", "close", "cut", "garbage", "bad_chunk", "bad_json", "error_event"})


MAX_CALLS = 16


class BadCue(ValueError):
    """The text is no cue; the message says which part, and what would do."""


class Cue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`after` counts the pieces (events of a stream, halves of a whole body) that leave first; None strikes before
    the head. `times` limits how many requests with this cue are struck. `retry_after`, `latency`: seconds.
    `tools`: how many calls, `arguments`: how a stream tells theirs. `split`: text beyond ASCII, its characters cut."""

    fault: FaultName | None = None
    value: float | None = None
    after: int | None = None
    times: int | None = None
    retry_after: float | None = None
    to: str | None = None
    gzip: bool = False
    latency: float | None = None
    tps: float | None = None
    tokens: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    reasoning_text: Literal["shown", "hidden"] | None = None
    tools: int = 0
    arguments: Literal["pieces", "one", "done", "none"] = "pieces"
    finish: Literal["length"] | None = None
    refusal: bool = False
    citations: bool = False
    json: bool = False
    logprobs: bool = False
    split: bool = False

    @property
    def name(self) -> str | None:
        """What the invoice calls it, None for a cue that only sets the pace."""
        return self.fault or ("gzip" if self.gzip else None)


NO_CUE = Cue()
_FIELDS = frozenset(Cue.__struct_fields__) - {"fault", "value", "gzip"}


def parse_cue(text: str) -> Cue:
    """Raises BadCue. Blank parts are skipped; dashes and underscores are the same."""
    fields: dict[str, str | bool] = {}
    for part in text.split(","):
        key, equals, value = part.strip().partition("=")
        key, value = key.strip().replace("-", "_").lower(), value.strip()
        if not key:
            continue
        if key == "gzip":
            fields["gzip"] = value.lower() not in {"0", "false", "no"}
        elif key in FAULTS:
            if "fault" in fields:
                raise BadCue(f"'{fields['fault']}' and '{key}' are both faults: one request has one")
            fields["fault"] = key
            _take_value(fields, key, value)
        elif key in SCENES:
            fields[key] = value or SCENES[key]
        elif key in _FIELDS and equals:
            fields[key] = value
        else:
            known = ", ".join(sorted(FAULTS | _FIELDS | {"gzip"}))
            raise BadCue(f"'{part.strip()}' is no part of a cue; known are: {known}")
    try:
        cue = msgspec.convert(fields, Cue, strict=False)
    except msgspec.ValidationError as error:
        raise BadCue(f"'{text}': {error}") from error
    _check(cue)
    return cue


def _take_value(fields: dict[str, str | bool], fault: str, value: str) -> None:
    if value.lower() in {"", "1", "true"} and fault not in _TAKES_VALUE:
        return
    if not value:
        if fault in _NEEDS_VALUE:
            raise BadCue(f"'{fault}' needs a number ({_NEEDS_VALUE[fault]}): {fault}=N")
        return
    if fault not in _TAKES_VALUE:
        raise BadCue(f"'{fault}' takes no value, '{value}' was given")
    fields["value"] = value


def _check(cue: Cue) -> None:
    if cue.fault == "status" and not 200 <= (cue.value or 0) <= 599:
        raise BadCue("status wants a number from 200 to 599")
    if cue.fault == "interim" and cue.value is not None and cue.value not in {100, 102, 103}:
        raise BadCue("interim wants 100, 102 or 103")
    if cue.after is not None and cue.fault not in _TAKES_AFTER:
        raise BadCue(f"'after' goes with one of: {', '.join(sorted(_TAKES_AFTER))}")
    for name in ("after", "times", "retry_after", "latency", "tokens", "cached", "cache_write", "reasoning", "tools"):
        number = getattr(cue, name)
        if number is not None and number < 0:
            raise BadCue(f"{name} must not be negative")
    if cue.tools > MAX_CALLS:
        raise BadCue(f"a model calls at most {MAX_CALLS} tools at once")
    if cue.tps is not None and cue.tps <= 0:
        raise BadCue("tps must be above 0")


def split_model(model: str) -> tuple[str, Cue]:
    """`gpt-4o@status=503` is the model `gpt-4o` and a cue; `name@20240620` is a model's name, version and all.

    Raises BadCue when the part after the last `@` looks like a cue and is none.
    """
    name, at, text = model.rpartition("@")
    if not at or not ("=" in text or text.split(",")[0].replace("-", "_") in {*FAULTS, *SCENES, "gzip"}):
        return model, NO_CUE
    return name, parse_cue(text)
