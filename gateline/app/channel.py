"""What the supervisor and the control process say to each other: a JSON object a line, over a pair of sockets.

Standard library only, as the supervisor is.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
from typing import Any


class Channel:
    """The supervisor's end. It is in `selector` as "control" while it is open."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._socket: socket.socket | None = None
        self._heard = b""

    def open(self, ours: socket.socket) -> None:
        """In place of the one before."""
        self._close()
        ours.setblocking(False)
        self._socket = ours
        self._heard = b""
        self._selector.register(ours, selectors.EVENT_READ, "control")

    def abandon(self) -> None:
        """In a forked child. The selector is left alone: what it watches is the parent's as well."""
        if self._socket is not None:
            self._socket.close()

    def tell(self, event: str, **fields: object) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it has just died: it asks the workers itself when it is back
                self._socket.send(json.dumps({"event": event, **fields}).encode() + b"\n")

    def hear(self) -> list[dict[str, Any]]:
        """What it has said since."""
        assert self._socket is not None
        try:
            data = self._socket.recv(65_536)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._close()
            return []
        *lines, self._heard = (self._heard + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def _close(self) -> None:
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None
