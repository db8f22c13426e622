"""An answer in one format on its way to a client that speaks another: whole, or as a stream."""

from __future__ import annotations

from collections.abc import Mapping

from gateline.formats.contract import Ask, Client, Reader, Server, Writer
from gateline.formats.sealed import note_sealer
from gateline.formats.tool_names import given_names, restore_deltas, restore_reply
from gateline.formats.tool_order import ToolOrder
from gateline.model.chat import Maker
from gateline.model.chatreply import Began, ChatReply, Counted, Delta, Finished, TextDelta, ToolBegan
from gateline.model.errors import GatewayError, UpstreamError
from gateline.model.usage import Usage

_ALIKE: Mapping[str, str] = {}
_UNSEEN = (Began, Counted, Finished)


def translate_reply(
    client: Client, server: Server, body: bytes, ask: Ask | None, now: int, secret: str, sealer: Maker = ""
) -> tuple[bytes, Usage | None]:
    """The client's body for a vendor's whole reply, and its usage. `now` as in `Translation`, `sealer` as in
    `Dialect`. Raises UpstreamError, which does not show `secret`."""
    reply = client.read_reply(body, secret)
    if isinstance(reply, ChatReply):
        reply.created = reply.created or now
        given = given_names(ask, client.tool_names)
        if given:
            restore_reply(reply, given)
        if sealer and client.native:
            note_sealer(reply, client.native, sealer)
    usage: Usage | None = getattr(reply, "usage", None)
    return server.write_reply(reply, ask), usage


class Translation:
    """See `contract.Codec`. `now` is the Unix time in seconds that an answer gets whose vendor does not say when it was
    made, `given` are the client's names of tools by the vendor's, where they differ."""

    __slots__ = (
        "_feed", "_given", "_now", "_order", "_reader", "_write", "_writer", "done", "error", "last", "usage",
        "visible",
    )  # fmt: skip

    def __init__(self, reader: Reader, writer: Writer, now: int = 0, given: Mapping[str, str] = _ALIKE) -> None:
        self._now = now
        self._given = given
        self._order: ToolOrder | None = None  # from the first tool use on
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
        if self._given:
            restore_deltas(deltas, self._given)
        for delta in deltas:
            if isinstance(delta, TextDelta):  # as nearly all are
                self.visible = True
            elif isinstance(delta, Counted):
                self.usage = delta.usage
            elif isinstance(delta, ToolBegan):
                self.visible = True
                self._order = self._order or ToolOrder()
            elif not self.visible:
                if not isinstance(delta, _UNSEEN):
                    self.visible = True
                elif isinstance(delta, Began) and not delta.created:
                    delta.created = self._now
        try:
            return self._write(deltas if self._order is None else self._order.told(deltas))
        except UpstreamError as error:  # of an answer that its format cannot hold
            self.error = error
            return b""

    def _close(self) -> None:
        self.done = True
        self.last = self._writer.end()
