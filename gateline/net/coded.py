"""A coded reply, decoded a little at a time: of one read many megabytes may come out, and others have turns too."""

from __future__ import annotations

import asyncio
import zlib
from time import monotonic_ns
from typing import TYPE_CHECKING

from gateline.model.errors import UpstreamBroken
from gateline.net.lease import COLLECT, HIGH_WATER
from gateline.wire.inflate import CodingError, Inflater

if TYPE_CHECKING:
    from gateline.net.upstream import UpstreamConnection

_TURN = 262_144  # bytes decoded before other connections have their turn


class CodedReply:
    """Fills its connection's chunks and wakes its flow, as a reply without a coding does. While it `waits`, more can be
    decoded of what has come already: nothing is read then, and the reply is not complete though all of it may be here
    (`has_ended`)."""

    __slots__ = ("_connection", "_inflater", "_is_due", "has_ended")

    def __init__(self, connection: UpstreamConnection, coding: bytes) -> None:
        """Raises UpstreamBroken for a coding that is not known here."""
        try:
            self._inflater = Inflater(coding)
        except CodingError as error:
            raise UpstreamBroken(str(error)) from None
        self._connection = connection
        self._is_due = False  # its next turn
        self.has_ended = False

    @property
    def waits(self) -> bool:
        return self._inflater.waits

    def feed(self, data: bytes) -> None:
        """Bytes of the body, or none; `has_ended` is set before its last ones."""
        connection, inflater = self._connection, self._inflater
        try:
            piece = inflater.feed(data, _TURN)
        except CodingError as error:
            connection.fail(UpstreamBroken(f"The upstream's reply cannot be decoded: {error}"))
            return
        except zlib.error:
            connection.fail(UpstreamBroken("The upstream's reply is not the coding it names."))
            return
        if piece:
            connection.chunks.append(piece)
        connection.size = size = sum(map(len, connection.chunks))
        if self.has_ended and not inflater.waits:
            self._complete()
            return
        connection.is_large = connection.is_large or (size > COLLECT and not connection.is_stream)
        is_relayed = connection.is_stream or connection.is_large
        if is_relayed and size > HIGH_WATER:
            connection.pause()  # until somebody has taken it
        elif inflater.waits:
            connection.pause()
            self.go_on()
        else:
            connection.resume()
        if is_relayed and connection.flow is not None:
            connection.flow.wake()

    def go_on(self) -> None:
        """In the loop's next turn."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._is_due = False
        connection = self._connection
        if connection.is_decoding(self):
            self.feed(b"")

    def _complete(self) -> None:
        connection = self._connection
        if not self._inflater.finished:
            connection.fail(UpstreamBroken("The upstream's coded reply ends before its coding does."))
            return
        connection.complete = True
        connection.last_byte_at = monotonic_ns()
        connection.resume()
        if connection.flow is not None:
            connection.flow.wake()
