"""OpenRouter's `reasoning_details`: where reasoning, and the seals on it, stand in a chat message.

openrouter.ai/docs/use-cases/reasoning-tokens, "Preserving reasoning blocks". Each entry is `reasoning.text` (`text`,
`signature`), `reasoning.summary` (`summary`) or `reasoning.encrypted` (`data`); `format` names who made it. Google's
signature of a tool call is an encrypted entry whose `id` is the call's. A signature of answer text has no place there:
it stands in an encrypted entry with an id of our own. What OpenAI's models sealed stands as it is where OpenRouter's
account got it, which alone can have it opened again; other accounts' has a mark (`formats/seal.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from gateline.formats.seal import read_seal, write_seal
from gateline.model.chat import Maker, Part, Reasoning, Seal, Text, ToolUse

TEXT_SEAL = "gateline.text"
NATIVE: Maker = "openrouter"
_ENCRYPTING = "openai-responses-v1"
_SIGNING: dict[Maker, str] = {"anthropic": "anthropic-claude-v1", "gemini": "google-gemini-v1"}
_MAKERS: dict[str | None, Maker] = {form: maker for maker, form in _SIGNING.items()}
_MAKERS[None] = "anthropic"  # OpenRouter's default


class Detail(msgspec.Struct, omit_defaults=True, kw_only=True):
    type: str
    text: str | None = None
    summary: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    format: str | None = None
    index: int | None = None

    def seal(self) -> Seal | None:
        """The seal in it; None when it has none, or a maker's that nobody here knows."""
        sealed = self.data if self.type == "reasoning.encrypted" else self.signature
        if not sealed:
            return None
        if self.format == _ENCRYPTING:
            return read_seal(sealed, NATIVE)
        maker = _MAKERS.get(self.format)
        return Seal(maker, sealed) if maker is not None else None

    def words(self) -> str:
        return self.text or self.summary or ""


class Reread(msgspec.Struct):
    """What a message's details say: its reasoning in order, the seals of its tool calls by id, and of its text."""

    reasoning: list[Reasoning]
    tools: dict[str, Seal]
    text: Seal | None = None


def read_details(details: Iterable[Detail], tool_ids: Collection[str]) -> Reread:
    """Entries that say nothing are skipped; those of one index in a row are pieces of one, as they were streamed."""
    found = Reread([], {})
    index: int | None = None
    for detail in details:
        seal = detail.seal()
        if detail.type != "reasoning.encrypted":
            words = detail.words()
            if index is not None and detail.index == index and found.reasoning[-1].seal is None:
                last = found.reasoning[-1]
                last.text += words
                last.seal = seal
            elif words or seal is not None:
                found.reasoning.append(Reasoning(text=words, seal=seal, id=detail.id or ""))
                index = detail.index
        elif seal is None:
            continue
        elif detail.id == TEXT_SEAL:
            found.text = seal
        elif detail.id and detail.id in tool_ids:
            found.tools[detail.id] = seal
        else:
            _seal_last(found.reasoning, seal, detail.id or "")
    return found


def _seal_last(reasoning: list[Reasoning], seal: Seal, name: str) -> None:
    """OpenAI's summary and what it sums up are two entries: the second seals the first."""
    if seal.maker not in _SIGNING and reasoning and reasoning[-1].seal is None:
        reasoning[-1].seal = seal
        reasoning[-1].id = name or reasoning[-1].id
    else:
        reasoning.append(Reasoning(seal=seal, is_hidden=True, id=name))


def words_detail(text: str, index: int) -> Detail:
    """A piece of the text of a block of reasoning."""
    return Detail(type="reasoning.text", text=text, index=index)


def is_signature(seal: Seal, is_hidden: bool) -> bool:
    """Whether a seal stands in the entry of the text it seals, and not in one of its own."""
    return not is_hidden and seal.maker in _SIGNING


def signature_detail(seal: Seal, index: int) -> Detail:
    """The signature under the text of the entry `index`."""
    return Detail(type="reasoning.text", signature=seal.data, format=_SIGNING[seal.maker], index=index)


def encrypted_detail(seal: Seal, name: str, index: int) -> Detail:
    form = _SIGNING.get(seal.maker)
    data = write_seal(seal, NATIVE) if form is None else seal.data
    return Detail(type="reasoning.encrypted", data=data, id=name or None, format=form or _ENCRYPTING, index=index)


def write_details(parts: Sequence[Part], maker: Maker | None = None) -> list[Detail]:
    """The entries of an answer. With `maker`: for a vendor that gets only that maker's."""
    details: list[Detail] = []
    for part in parts:
        seal = part.seal if isinstance(part, Reasoning | ToolUse | Text) else None
        if maker is not None and (seal is None or seal.maker != maker):
            continue
        if isinstance(part, Reasoning):
            _write_reasoning(part, details, maker)
        elif isinstance(part, ToolUse) and seal is not None:
            details.append(encrypted_detail(seal, part.id, len(details)))
        elif isinstance(part, Text) and seal is not None and maker is None:
            details.append(encrypted_detail(seal, TEXT_SEAL, len(details)))
    return details


def _write_reasoning(part: Reasoning, details: list[Detail], maker: Maker | None) -> None:
    seal = part.seal
    is_signed = seal is not None and is_signature(seal, part.is_hidden)
    if part.text or is_signed:
        detail = words_detail(part.text, len(details))
        if seal is not None and is_signed:
            detail.signature = seal.data
            detail.format = _SIGNING[seal.maker]
        elif maker == NATIVE:
            detail = Detail(
                type="reasoning.summary", summary=part.text, id=part.id or None, format=_ENCRYPTING,
                index=len(details),
            )  # fmt: skip
        details.append(detail)
    if seal is not None and not is_signed:
        details.append(encrypted_detail(seal, part.id, len(details)))
