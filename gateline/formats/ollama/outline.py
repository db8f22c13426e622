"""Where an answer in Ollama's format keeps the seals of its parts.

A message has one text, one text of thinking and a list of tool calls; clients keep these and, of fields with no use in
an answer, `tool_name`, which says whose result a message of the role `tool` is. There the outline of the answer stands:
its parts in order, by their lengths, with their seals; and from it and the texts the parts are made again a turn later.
It is written only where there is a seal. No model ever sees it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateline.formats.typed import UNREAD
from gateline.model.chat import Maker, Part, Reasoning, Seal, Text, ToolUse

_MARK = "gateline."
_MOST_PARTS = 1_024
_MOST_SEALED = 4 * 1024 * 1024  # characters of all seals; an answer beyond either goes without an outline
_BREAK = "\n\n"  # between blocks of thinking


class _Entry(msgspec.Struct, array_like=True, omit_defaults=True):
    """`kind`: text, reasoning, hidden reasoning, call. `length` counts characters."""

    kind: str
    length: int = 0
    maker: Maker | None = None
    seal: str = ""
    id: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[_Entry]).decode


class Outline:
    """The parts of an answer as they come: whole ones, or by deltas."""

    __slots__ = ("_entries", "_is_lost", "_sealed", "_thought")

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._sealed = 0
        self._thought = False
        self._is_lost = False

    def say(self, text: str, seal: Seal | None = None, *, is_new: bool = False) -> None:
        entry = self._entries[-1] if self._entries else None
        if entry is None or entry.kind != "t" or (is_new and entry.length):
            entry = self._add(_Entry("t"))
        entry.length += len(text)
        if seal is not None:
            self._put(entry, seal)

    def think(self, text: str, name: str = "", *, is_new: bool = False) -> str:
        """What of `text` to show: blocks of thinking are told apart by an empty line."""
        entry = self._entries[-1] if self._entries else None
        if entry is None or entry.kind != "r" or entry.maker is not None:
            entry = self._add(_Entry("r"))
        entry.id = name or entry.id
        if not text:
            return ""
        if not entry.length:
            shown = _BREAK + text if self._thought else text
            entry.length = len(text)
        else:
            shown = _BREAK + text if is_new else text
            entry.length += len(shown)
        self._thought = True
        return shown

    def seal(self, seal: Seal, name: str = "", *, is_hidden: bool = False) -> None:
        """Ends the block of thinking that is open, or is one of its own."""
        entry = self._entries[-1] if self._entries else None
        if is_hidden or entry is None or entry.kind != "r" or entry.maker is not None:
            entry = self._add(_Entry("h" if is_hidden else "r"))
        entry.id = name or entry.id
        self._put(entry, seal)

    def call(self, name: str, seal: Seal | None) -> None:
        entry = self._add(_Entry("c", id=name))
        if seal is not None:
            self._put(entry, seal)

    def written(self) -> str:
        """Empty where there is no seal to keep."""
        if not self._sealed or self._is_lost:
            return ""
        return _MARK + _encode(self._entries).decode()

    def _add(self, entry: _Entry) -> _Entry:
        if len(self._entries) < _MOST_PARTS:
            self._entries.append(entry)
        else:
            self._is_lost = True
        return entry

    def _put(self, entry: _Entry, seal: Seal) -> None:
        self._sealed += len(seal.data) + 1
        if self._sealed > _MOST_SEALED:
            self._is_lost = True
            return
        entry.maker, entry.seal = seal.maker, seal.data


def read_outline(written: str, content: str, thinking: str, calls: Sequence[ToolUse]) -> list[Part] | None:
    """The parts that a message was made from. None where there is no outline, or it is not that of this message: its
    client has changed it, and no seal would hold."""
    if not written.startswith(_MARK):
        return None
    try:
        entries = _decode(written[len(_MARK) :])
    except UNREAD:
        return None
    parts: list[Part] = []
    said = thought = called = 0
    for entry in entries:
        kind, length = entry.kind, entry.length
        seal = None if entry.maker is None else Seal(entry.maker, entry.seal)
        if kind == "c":
            if called == len(calls):
                return None
            use = calls[called]
            called += 1
            parts.append(ToolUse(id=entry.id or use.id, name=use.name, arguments=use.arguments, seal=seal))
        elif kind == "t":
            parts.append(Text(text=content[said : said + length], seal=seal))
            said += length
        elif kind == "h":
            parts.append(Reasoning(seal=seal, is_hidden=True, id=entry.id))
        elif kind == "r":
            if length and thought:
                thought += len(_BREAK)
            parts.append(Reasoning(text=thinking[thought : thought + length], seal=seal, id=entry.id))
            thought += length
    whole = (said, thought, called) == (len(content), len(thinking), len(calls))
    return parts if whole else None
