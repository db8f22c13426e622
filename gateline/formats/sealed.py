"""Seals of a vendor that speaks another's format.

In a chat they are this vendor's own (`Dialect.sealer`), in the fields of the format they stand as if the format's maker
had sealed.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateline.formats.contract import Client, Reader
from gateline.model.chat import Maker, Part, Reasoning, Seal, Text, ToolUse, Turn
from gateline.model.chatreply import ChatReply, Delta, ReasoningSealed, TextDelta, ToolBegan
from gateline.model.errors import UpstreamError

_NOBODY: Maker = "-"  # who made a seal that is neither's here


def for_sealer(turns: list[Turn], native: Maker, sealer: Maker) -> list[Turn]:
    """`turns` as a writer takes them that knows seals of `native` alone; what `native` itself sealed is nobody's."""
    given = {sealer: native, native: _NOBODY}
    return [msgspec.structs.replace(turn, parts=[_renamed(part, given) for part in turn.parts]) for turn in turns]


def note_sealer(reply: ChatReply, native: Maker, sealer: Maker) -> None:
    """Says of a whole answer who sealed."""
    given = {native: sealer}
    for choice in reply.choices:
        choice.parts = [_renamed(part, given) for part in choice.parts]


def reader_of(client: Client, secret: str, sealer: Maker) -> Reader:
    """The client's reader of a stream. `secret` as for `Client.reader`."""
    assert client.reader is not None
    reader = client.reader(secret)
    return SealedReader(reader, client.native, sealer) if sealer and client.native else reader


class SealedReader:
    """See `contract.Reader`: `reader`, whose deltas say who sealed."""

    __slots__ = ("_given", "_reader", "done", "error")

    def __init__(self, reader: Reader, native: Maker, sealer: Maker) -> None:
        self._reader = reader
        self._given = {native: sealer}
        self.done = False
        self.error: UpstreamError | None = None

    def feed(self, data: bytes) -> list[Delta]:
        deltas = self._reader.feed(data)
        self._note(deltas)
        return deltas

    def end(self) -> list[Delta] | None:
        deltas = self._reader.end()
        self._note(deltas or ())
        return deltas

    def _note(self, deltas: Sequence[Delta]) -> None:
        self.done, self.error = self._reader.done, self._reader.error
        for delta in deltas:
            if isinstance(delta, ReasoningSealed | TextDelta | ToolBegan) and delta.seal is not None:
                delta.seal = _made(delta.seal, self._given)


def _renamed(part: Part, given: dict[Maker, Maker]) -> Part:
    if isinstance(part, Reasoning | Text | ToolUse) and part.seal is not None and part.seal.maker in given:
        return msgspec.structs.replace(part, seal=_made(part.seal, given))
    return part


def _made(seal: Seal, given: dict[Maker, Maker]) -> Seal:
    return Seal(given.get(seal.maker, seal.maker), seal.data)
