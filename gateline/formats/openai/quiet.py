"""Streams of vendors that say the finish reason and the usage, and then close without `[DONE]`."""

from __future__ import annotations

from gateline.formats.openai.chat_reader import ChatReader
from gateline.formats.openai.watch import DONE, StreamCodec
from gateline.model.chatreply import Counted, Delta


class QuietCodec(StreamCodec):
    """The client gets the terminator that its library waits for."""

    __slots__ = ()

    def end(self) -> str | None:
        if self.error is None and not self.done and self.finished and self.usage is not None and self.is_between:
            self.done = True
            self.last = DONE
        return super().end()


class QuietReader(ChatReader):
    """A stream that has told a finish reason and its usage was not cut: some say the usage in every event."""

    def __init__(self, secret: str = "") -> None:
        super().__init__(secret)
        self._is_counted = False

    def feed(self, data: bytes) -> list[Delta]:
        deltas = super().feed(data)
        self._is_counted = self._is_counted or any(isinstance(delta, Counted) for delta in deltas)
        return deltas

    def end(self) -> list[Delta] | None:
        if not self.done and self._is_counted and any(choice.reason for choice in self._choices.values()):
            return super().feed(DONE)
        return super().end()
