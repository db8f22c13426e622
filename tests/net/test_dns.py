from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from gateline.net import dns
from gateline.net.dns import Resolver
from tests.net.transport import on_loop

Infos = list[tuple[Any, ...]]


class FakeLoop:
    """The two things a resolver asks of its loop besides tasks: the time and `getaddrinfo`, each answered by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.asked: list[tuple[str, asyncio.Future[Infos]]] = []

    def time(self) -> float:
        return self.now

    def create_task(self, work: Any) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(work)

    async def getaddrinfo(self, host: str, port: None, *, type: int) -> Infos:  # noqa: A002 - the loop's own name
        assert type == socket.SOCK_STREAM
        answer: asyncio.Future[Infos] = asyncio.get_running_loop().create_future()
        self.asked.append((host, answer))
        return await answer

    def answer(self, *addresses: str) -> None:
        self.asked.pop(0)[1].set_result([(0, 0, 0, "", (address, 0)) for address in addresses])

    def fail(self) -> None:
        self.asked.pop(0)[1].set_exception(socket.gaierror(socket.EAI_AGAIN, "try again"))


def resolver() -> tuple[Resolver, FakeLoop]:
    loop = FakeLoop()
    return Resolver(loop), loop  # type: ignore[arg-type]


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@on_loop
async def test_one_question_serves_all_who_ask() -> None:
    """Many who ask at once cause one look-up; later ones are answered from memory, each address once."""
    names, loop = resolver()
    asking = [asyncio.create_task(names.resolve("a.example")) for _ in range(5)]
    await turn()
    assert [host for host, _ in loop.asked] == ["a.example"]
    loop.answer("192.0.2.1", "192.0.2.2", "192.0.2.1")
    assert [await task for task in asking] == [["192.0.2.1", "192.0.2.2"]] * 5
    assert await names.resolve("a.example") == ["192.0.2.1", "192.0.2.2"]
    assert not loop.asked


@on_loop
async def test_who_stops_waiting_takes_the_answer_from_nobody() -> None:
    """A request that is given up during the look-up leaves the others their answer."""
    names, loop = resolver()
    first, second = (asyncio.create_task(names.resolve("a.example")) for _ in range(2))
    await turn()
    first.cancel()
    await turn()
    loop.answer("192.0.2.1")
    assert await second == ["192.0.2.1"]
    assert first.cancelled()


@on_loop
async def test_an_old_answer_serves_while_a_new_one_is_fetched() -> None:
    """After 30 s the old addresses are given at once and asked for anew beside the path; a failure keeps them, for ten
    minutes."""
    names, loop = resolver()
    task = asyncio.create_task(names.resolve("a.example"))
    await turn()
    loop.answer("192.0.2.1")
    await task
    loop.now += 31
    assert await names.resolve("a.example") == ["192.0.2.1"]
    assert await names.resolve("a.example") == ["192.0.2.1"]
    await turn()
    assert len(loop.asked) == 1
    loop.fail()
    await turn()
    assert await names.resolve("a.example") == ["192.0.2.1"]
    await turn()
    loop.answer("192.0.2.9")
    await turn()
    assert await names.resolve("a.example") == ["192.0.2.9"]
    loop.now += 601
    late = asyncio.create_task(names.resolve("a.example"))
    await turn()
    loop.fail()
    with pytest.raises(OSError, match="try again"):
        await late


@on_loop
async def test_a_failure_nobody_waits_for_is_silent() -> None:
    """A look-up that fails after everybody has left is nobody's unhandled error."""
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    names, loop = resolver()
    task = asyncio.create_task(names.resolve("a.example"))
    await turn()
    task.cancel()
    await turn()
    loop.fail()
    await turn()
    del names
    assert not reported


@on_loop
async def test_names_that_are_none_raise_oserror() -> None:
    """No address, and a host that no resolver takes, are errors of the connection, not of the program."""
    names, loop = resolver()
    task = asyncio.create_task(names.resolve("empty.example"))
    await turn()
    loop.answer()
    with pytest.raises(OSError, match="no address"):
        await task
    real = Resolver(asyncio.get_running_loop())
    for host in ("a" * 64 + ".example", "a..example", "\udc80"):
        with pytest.raises(OSError, match="not a host name"):
            await real.resolve(host)


@on_loop
async def test_memory_is_bounded() -> None:
    """The name learned first is forgotten when there are too many."""
    names, loop = resolver()
    for number in range(dns._ENTRIES + 1):
        task = asyncio.create_task(names.resolve(f"{number}.example"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        loop.answer("192.0.2.1")
        await task
    assert len(names._answers) == dns._ENTRIES
    assert "0.example" not in names._answers
