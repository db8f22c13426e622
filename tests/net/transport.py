"""A transport without a socket, as strict as uvloop's, and a way to run a test on a loop."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

import uvloop

P = ParamSpec("P")

DEADLINE = 20.0  # seconds: what has not come by then will not come


def on_loop(story: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Runs an async test on a uvloop of its own, with a deadline over all of it."""

    @functools.wraps(story)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def within() -> None:
            async with asyncio.timeout(DEADLINE):
                await story(*args, **kwargs)

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        runner.run(within())
        runner.close()  # not after a failure: uvloop would wait for what the broken-off test has left open

    return run


async def until(is_so: Callable[[], object]) -> None:
    """Lets the loop go on until it is so; the test's deadline ends the wait."""
    while not is_so():  # noqa: ASYNC110 - what is waited for knows of no event
        await asyncio.sleep(0.001)


class FakeTransport(asyncio.Transport):
    """Keeps what is written. `unsent` is what it claims to have in its buffer. Like the real one it ends the
    protocol only in the loop's next turn, which `end` stands for."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._protocol: asyncio.BaseProtocol = protocol
        self.out = b""
        self.events: list[str] = []
        self.unsent = 0
        self.is_paused = False
        self.ended = False
        protocol.connection_made(self)

    def receive(self, data: bytes) -> None:
        assert not self.is_closing(), "a closing transport delivers nothing"
        protocol = self._protocol
        if isinstance(protocol, asyncio.BufferedProtocol):
            for at in range(0, len(data), 65_536):
                piece = data[at : at + 65_536]
                memoryview(protocol.get_buffer(len(piece)))[: len(piece)] = piece
                protocol.buffer_updated(len(piece))
        else:
            assert isinstance(protocol, asyncio.Protocol)
            protocol.data_received(data)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended, "written to after connection_lost"
        assert "eof" not in self.events, "written to after write_eof"
        if not self.is_closing():
            self.out += data

    def take(self) -> bytes:
        """What was written since the last call."""
        out, self.out = self.out, b""
        return out

    def close(self) -> None:
        self.events.append("close")

    def abort(self) -> None:
        self.events.append("abort")

    def write_eof(self) -> None:
        assert not self.ended
        self.events.append("eof")

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return "close" in self.events or "abort" in self.events

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def end(self, error: Exception | None = None) -> None:
        """The connection is over, in order or with an error."""
        assert not self.ended
        assert isinstance(self._protocol, asyncio.Protocol | asyncio.BufferedProtocol)
        self.ended = True
        self._protocol.connection_lost(error)

    def end_by_peer(self) -> None:
        """The peer says that it sends no more."""
        assert isinstance(self._protocol, asyncio.Protocol | asyncio.BufferedProtocol)
        if not self._protocol.eof_received():
            self.close()
            self.end()
