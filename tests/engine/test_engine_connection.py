"""Connections of an engine that end: in order, with garbage, or because nobody reads. Each alone."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from gateline.engine import connection as connection_module
from gateline.model.engine import State
from gateline.wire.frames import frame
from tests.engine.peer import Scripted, join, serving


def test_a_closed_connection_cancels_all_its_requests(tmp_path: Path) -> None:
    """Running ones and waiting ones; another connection's request goes on."""

    async def story() -> None:
        model = Scripted(capacity=3, held=True)
        async with serving(tmp_path / "e.sock", model):
            leaving, staying = [await join(tmp_path / "e.sock") for _ in range(2)]
            staying.submit(1, "/work", {"steps": 6, "name": "staying"})
            await staying.until(lambda: staying.states[-1].waiting + staying.states[-1].running == 1)
            for number in range(1, 6):
                leaving.submit(number, "/work", {"steps": 1000})
            await staying.until(lambda: staying.states[-1].waiting + staying.states[-1].running == 6)
            model.allow(2)
            await leaving.until(lambda: leaving.replies[1].data)
            await leaving.leave()
            model.allow(4)
            await staying.until(lambda: staying.replies[1].end is not None)
            assert staying.replies[1].data == b"......"
            await staying.until(lambda: staying.states[-1].running == 0)
            assert len([event for event in model.log if event[0] == "cancel"]) >= 2
            assert staying.states[-1].waiting == 0

    asyncio.run(story())


@pytest.mark.parametrize(
    "garbage", [frame(b"\xc1"), frame(b"\x93\x09\x01\x02"), b"\xff\xff\xff\xff", frame(b"\x94\x01\x01\xa1\xff\xc4\x00")]
)
def test_garbage_ends_its_own_connection_only(tmp_path: Path, garbage: bytes) -> None:
    """No MessagePack, an unknown tag, a frame beyond the limit, text that is no UTF-8."""

    async def story() -> None:
        async with serving(tmp_path / "e.sock", Scripted()):
            bad, good = [await join(tmp_path / "e.sock") for _ in range(2)]
            bad.writer.write(garbage)
            await bad.until(lambda: bad.closed)
            assert (await good.call(1, "/work", {"steps": 1})).data == b"."

    asyncio.run(story())


def test_a_repeated_number_ends_the_connection(tmp_path: Path) -> None:
    async def story() -> None:
        model = Scripted(held=True)
        async with serving(tmp_path / "e.sock", model):
            peer = await join(tmp_path / "e.sock")
            peer.submit(1, "/work", {"steps": 9})
            peer.submit(1, "/work", {"steps": 9})
            await peer.until(lambda: peer.closed)
            model.allow(9)

    asyncio.run(story())


def test_a_peer_that_does_not_read_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a stuck worker is bounded; the others are served."""
    monkeypatch.setattr(connection_module, "UNSENT_LIMIT", 64 * 1024)

    async def story() -> None:
        async with serving(tmp_path / "e.sock", None) as (server, _):
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "e.sock"), limit=1)
            good = await join(tmp_path / "e.sock")
            for size in range(1000):
                server.announce(State("loading", "x" * 10_000 + str(size)))
                await asyncio.sleep(0)
            assert (await good.call(1, "/work", {})).head.status == 503
            taken = 0
            with suppress(ConnectionError):
                while data := await reader.read(1 << 20):
                    taken += len(data)
            assert 0 < taken < 5_000_000  # of ten million: cut off, not closed after everything was sent
            writer.close()
            await writer.wait_closed()

    asyncio.run(story())
