"""From token ids to text, piece by piece: never half a character, never part of a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextStream:
    """Text of one answer as it grows. `pieces[id]` are a token's bytes, empty for tokens that are not shown.

    `stopped`: a stop string was met; nothing after it counts. Bytes that are no UTF-8 become U+FFFD, once it is
    certain that no later token completes them.
    """

    __slots__ = ("_decoder", "_held", "_pieces", "_stops", "stopped")

    def __init__(self, pieces: Sequence[bytes], stops: tuple[str, ...] = ()) -> None:
        self._pieces = pieces
        self._stops = stops
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stopped = False

    def push(self, ids: Sequence[int]) -> str:
        """What may be shown after these tokens."""
        pieces = self._pieces
        known = len(pieces)
        return self._show(self._decoder.decode(b"".join([pieces[token] for token in ids if 0 <= token < known])))

    def finish(self) -> str:
        """What was held back and now cannot become a stop string any more."""
        shown = self._show(self._decoder.decode(b"", True)) + ("" if self.stopped else self._held)
        self._held = ""
        return shown

    def _show(self, text: str) -> str:
        if not self._stops or self.stopped:
            return "" if self.stopped else text
        text = self._held + text
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped = True
            self._held = ""
            return text[: min(found)]
        held = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that could grow into `stop`."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if stop.startswith(text[-length:]):
            return length
    return 0
