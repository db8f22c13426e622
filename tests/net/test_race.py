"""The race of several addresses for one connection, over real sockets: a port that never answers is a listener whose
queue is full."""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.net.race import connect_first, interleave
from tests.net.transport import on_loop, until

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.2 is no address of the machine")
GOOD, DEAD, CLOSED = "127.0.0.1", "127.0.0.2", "127.0.0.3"


class Watched:
    """The running loop; `seen` is what became of each attempt, in order."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.seen: list[str] = []
        self.create_task = self._loop.create_task

    async def sock_connect(self, sock: socket.socket, address: tuple[str, int]) -> None:
        self.seen.append(f"begin {address[0]}")
        try:
            await self._loop.sock_connect(sock, address)
        except OSError:
            self.seen.append(f"failed {address[0]}")
            raise
        except asyncio.CancelledError:
            self.seen.append(f"ended {address[0]}")
            raise
        self.seen.append(f"connected {address[0]}")


@contextmanager
def ports() -> Iterator[int]:
    """A port that `GOOD` answers on, `DEAD` never does and `CLOSED` refuses."""
    with socket.create_server((GOOD, 0)) as good, socket.socket() as dead:
        port: int = good.getsockname()[1]
        dead.bind((DEAD, port))
        dead.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:  # the queue holds one or two of them, the others are left without an answer
            sock.setblocking(False)
            sock.connect_ex((DEAD, port))
        yield port
        for sock in waiting:
            sock.close()


async def race(watched: Watched, addresses: list[str], port: int) -> str:
    address, sock = await connect_first(watched, addresses, port)  # type: ignore[arg-type]
    assert sock.getpeername() == (address, port)
    sock.close()
    for _ in range(3):  # the attempts that were told to end do so in the next turns
        await asyncio.sleep(0)
    return address


@only_linux
@on_loop
async def test_a_dead_address_costs_one_delay() -> None:
    """An address that never answers is joined by the next, which wins; the dead attempt ends."""
    watched = Watched()
    with ports() as port:
        assert await race(watched, [DEAD, GOOD, CLOSED], port) == GOOD
    assert watched.seen == [f"begin {DEAD}", f"begin {GOOD}", f"connected {GOOD}", f"ended {DEAD}"]


@only_linux
@on_loop
async def test_a_refused_address_costs_nothing() -> None:
    """An attempt that fails makes the next begin at once, beside those that still wait."""
    watched = Watched()
    with ports() as port:
        assert await race(watched, [CLOSED, GOOD], port) == GOOD
        assert watched.seen == [f"begin {CLOSED}", f"failed {CLOSED}", f"begin {GOOD}", f"connected {GOOD}"]
        watched.seen.clear()
        assert await race(watched, [DEAD, CLOSED, GOOD], port) == GOOD
    order = [event for event in watched.seen if DEAD not in event]
    assert order == [f"begin {CLOSED}", f"failed {CLOSED}", f"begin {GOOD}", f"connected {GOOD}"]


@only_linux
@on_loop
async def test_the_first_address_has_its_chance() -> None:
    """Where the first address answers, no other is asked."""
    watched = Watched()
    with ports() as port:
        assert await race(watched, [GOOD, DEAD], port) == GOOD
    assert watched.seen == [f"begin {GOOD}", f"connected {GOOD}"]


@only_linux
@on_loop
async def test_when_all_fail_the_reason_is_told() -> None:
    """Every address refused: the error says so. None at all: an OSError, too."""
    loop = asyncio.get_running_loop()
    with ports() as port:
        with pytest.raises(ConnectionRefusedError):
            await connect_first(loop, [CLOSED, "127.0.0.4"], port)
        with pytest.raises(OSError, match="no address"):
            await connect_first(loop, [], port)


@only_linux
@on_loop
async def test_who_stops_waiting_leaves_no_attempt_behind() -> None:
    """A race that is given up ends all of its attempts."""
    watched = Watched()
    with ports() as port:
        racing = asyncio.create_task(race(watched, [DEAD, DEAD], port))
        await until(lambda: len(watched.seen) == 2)
        racing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await racing
        for _ in range(3):
            await asyncio.sleep(0)
    assert watched.seen == [f"begin {DEAD}"] * 2 + [f"ended {DEAD}"] * 2


@given(st.lists(st.sampled_from(["v4", ":v6"]).flatmap(lambda kind: st.integers(0, 99).map(lambda n: f"{kind}{n}"))))
def test_families_take_turns(addresses: list[str]) -> None:
    """Nothing is lost, the first stays the first, each family keeps its order, and they alternate while both last."""
    mixed = interleave(addresses)
    assert mixed[:1] == addresses[:1]
    for family in (True, False):
        assert [a for a in mixed if (":" in a) is family] == [a for a in addresses if (":" in a) is family]
    fewer = min(sum(":" in a for a in addresses), sum(":" not in a for a in addresses))
    turns = [":" in a for a in mixed[: 2 * fewer]]
    assert all(one != other for one, other in itertools.pairwise(turns))
