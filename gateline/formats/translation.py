"""A stream in one format on its way to a client that speaks another."""

from __future__ import annotations

from gateline.formats.contract import Reader, Writer
from gateline.model.chatreply import Began, Counted, Delta, Finished
from gateline.model.errors import GatewayError, UpstreamError
from gateline.model.usage import Usage

_UNSEEN = (Began, Counted, Finished)


class Translation:
    """See `contract.Codec`. `now` is the Unix time in seconds that an answer gets whose vendor does not say when it was
    made."""

    __slots__ = ("_feed", "_now", "_reader", "_write", "_writer", "done", "error", "last", "usage", "visible")

    def __init__(self, reader: Reader, writer: Writer, now: int = 0) -> None:
        self._now = now
        self._reader = reader
        self._writer = writer
        self._feed = reader.feed  # bound once: both are asked for every event
        self._write = writer.write
        self.visible = False
        self.done = False
        self.last = b""
        self.usage: Usage | None = None
        self.error: UpstreamError | None = None

    def feed(self, data: bytes) -> bytes:
        if self.done or self.error is not None:
            return b""
        deltas = self._feed(data)
        written = self._note(deltas) if deltas else b""
        reader = self._reader
        if reader.error is not None:
            self.error = reader.error
        elif reader.done and self.error is None:
            self._close()
        return written

    def end(self) -> None:
        if self.done or self.error is not None:
            return
        deltas = self._reader.end()
        if self._reader.error is not None:
            self.error = self._reader.error
            return
        written = self._note(deltas) if deltas else b""
        if self.error is None:
            self._close()
            self.last = written + self.last

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return self._writer.fail(error, request_id)

    def _note(self, deltas: list[Delta]) -> bytes:
        for delta in deltas:
            if isinstance(delta, Counted):
                self.usage = delta.usage
            elif not self.visible:
                if not isinstance(delta, _UNSEEN):
                    self.visible = True
                elif isinstance(delta, Began) and not delta.created:
                    delta.created = self._now
        try:
            return self._write(deltas)
        except UpstreamError as error:  # of an answer that its format cannot hold
            self.error = error
            return b""

    def _close(self) -> None:
        self.done = True
        self.last = self._writer.end()
