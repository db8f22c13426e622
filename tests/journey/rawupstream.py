"""A provider that knows no HTTP: it sends the bytes that the test gives it for a model's name, however wrong."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from tests.journey.patience import DEADLINE, until

_LOOKS = 30  # looks in a row that find no byte sent: it is held up


class RawUpstream:
    """`with RawUpstream({"noise": lambda: [b"..."]}) as upstream`. When the bytes are sent it says nothing more and
    waits for the peer to go; for the names in `hasty` it is the one who goes. `sent` counts bytes by name."""

    def __init__(self, scenes: Mapping[str, Callable[[], Iterable[bytes]]], hasty: Iterable[str] = ()) -> None:
        self.sent: Counter[str] = Counter()
        self._scenes = scenes
        self._hasty = frozenset(hasty)
        self._threads: list[threading.Thread] = []
        self._ends: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for end in list(self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(DEADLINE)
        self._listener.close()

    def wait_until_held_up(self, name: str) -> int:
        """Returns the bytes sent for a name once no more of them can be: the peer takes nothing."""
        looks: list[int] = []

        def is_still() -> bool:
            looks.append(self.sent[name])
            return looks[-1] > 0 and looks[-_LOOKS:] == looks[-1:] * _LOOKS

        until(is_still, f"the bytes of {name} are held up")
        return looks[-1]

    def _start(self, work: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=work, name="raw upstream"))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                end, _ = self._listener.accept()
            except OSError:
                return
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)  # what waits here is not what is tested
            self._ends.add(end)
            self._start(lambda end=end: self._serve(end))  # type: ignore[misc]

    def _serve(self, end: socket.socket) -> None:
        with end, contextlib.suppress(OSError), end.makefile("rb") as reader:
            name = _asked(iter(reader.readline, b"\r\n"), reader.read)
            for piece in self._scenes[name]():
                end.sendall(piece)
                self.sent[name] += len(piece)
            if name not in self._hasty:
                reader.read(1)
        self._ends.discard(end)


def _asked(head: Iterable[bytes], read: Callable[[int], bytes]) -> str:
    """The model's name in one request."""
    lengths = [int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length:")]
    return str(json.loads(read(lengths[0]))["model"])
