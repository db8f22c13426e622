"""A conversation that lost what another vendor's model thought, ahead of tools that it called.

Claude that thinks by a budget refuses a turn that called tools without having thought
(platform.claude.com/docs, "Extended thinking with tool use"): such a call goes without thinking, as it does where it is
translated.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Raw

from gateline.formats.entries import fields_of, text_of

Turn = tuple[str, Sequence[str]]  # a message's role, and the kinds of its blocks


def lacks_thinking(turns: Sequence[Turn], *, thoughts: Collection[str], use: str, result: str) -> bool:
    """Whether the turn that the model is in, which began behind the last thing that a user said, called tools and does
    not begin with a thought. The other arguments are the format's names of blocks."""
    first: Sequence[str] = ()
    for role, kinds in reversed(turns):
        if role == "user":
            if not kinds or kinds[0] != result:
                break
        elif use in kinds:
            first = kinds
    return bool(first) and first[0] not in thoughts


def is_budgeted(thinking: Raw | None) -> bool:
    fields = fields_of(thinking)
    return fields is not None and text_of(fields.get("type")) == "enabled"
