from __future__ import annotations

import asyncio
import functools
from pathlib import Path

import msgspec

from gateline.model.feed import Beat, Hello, Lookup, ToControl, ToWorker
from gateline.net import link as link_module
from gateline.net.link import Link
from gateline.wire.frames import FrameReader, frame
from tests.net.transport import on_loop, until

encode = msgspec.msgpack.Encoder().encode


class Peer:
    """The other process: takes connections on a Unix socket and keeps what it is told."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._server: asyncio.Server | None = None
        self.writers: list[asyncio.StreamWriter] = []
        self.heard: list[object] = []
        self.reads = True
        self.connections = 0

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.connections += 1
        frames = FrameReader()
        while self.reads and (data := await reader.read(65_536)):
            self.heard += [msgspec.msgpack.decode(payload, type=ToControl) for payload in frames.feed(data)]

    def has_had(self, connections: int) -> bool:
        return self.connections == connections

    def say(self, data: bytes) -> None:
        self.writers[-1].write(data)

    def hang_up(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    def stop(self) -> None:
        self.hang_up()
        if self._server is not None:
            self._server.close()


class Ends:
    """A link and all that it has reported."""

    def __init__(self, path: Path) -> None:
        self.log: list[object] = []
        self.link = Link(
            path,
            ToWorker,
            receive=self.log.append,
            opened=lambda: self.log.append("opened"),
            lost=lambda: self.log.append("lost"),
        )

    def has_lost(self, times: int) -> bool:
        return self.log.count("lost") == times


@on_loop
async def test_messages_go_both_ways_and_the_link_comes_back(tmp_path: Path) -> None:
    """It waits for its peer to appear, carries messages, tells of its end, and opens again by itself."""
    peer, ends = Peer(tmp_path / "s"), Ends(tmp_path / "s")
    link = ends.link
    link.start()
    await asyncio.sleep(0)
    assert not link.send(Lookup(b"a"))
    await peer.start()
    await until(lambda: link.is_open)
    assert link.send(Hello(0, 1, 2))
    await until(lambda: peer.heard)
    peer.say(frame(encode(Beat(5))) + frame(encode(Beat(6)))[:3])
    peer.say(frame(encode(Beat(6)))[3:])
    await until(lambda: len(ends.log) == 3)
    assert ends.log == ["opened", Beat(5), Beat(6)]
    peer.hang_up()
    await until(lambda: ends.log[3:] == ["lost", "opened"])
    assert link.send(Lookup(b"b"))
    await until(lambda: len(peer.heard) == 2)
    assert peer.heard == [Hello(0, 1, 2), Lookup(b"b")]
    link.close()
    await until(lambda: not link.is_open)
    assert ends.log[-1] == "lost"
    peer.stop()


@on_loop
async def test_a_peer_of_another_version_is_left_and_not_courted(tmp_path: Path) -> None:
    """What is no message of ours ends the connection, and the next tries come ever more slowly: no busy loop."""
    peer, ends = Peer(tmp_path / "s"), Ends(tmp_path / "s")
    await peer.start()
    ends.link.start()
    for number, nonsense in enumerate((b"\xff\xff\xff\xff", frame(b"\xc1"), frame(b"\x91\x63")), start=1):
        await until(functools.partial(peer.has_had, number))
        peer.say(nonsense)
        await until(functools.partial(ends.has_lost, number))
    assert ends.link._tries >= 2
    await until(lambda: peer.connections == 4)
    peer.say(frame(encode(Beat(1))))
    await until(lambda: Beat(1) in ends.log)
    assert ends.link._tries == 0
    ends.link.close()
    peer.stop()


@on_loop
async def test_a_peer_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    """Bytes that nobody takes are bounded: at the limit the link is cut, and sending on is no error."""
    peer, ends = Peer(tmp_path / "s"), Ends(tmp_path / "s")
    peer.reads = False
    await peer.start()
    ends.link.start()
    await until(lambda: ends.link.is_open)
    big = Lookup(bytes(link_module._UNSENT // 4))
    for _ in range(8):
        ends.link.send(big)
    await until(lambda: "lost" in ends.log)
    ends.link.close()
    peer.stop()
