"""The supervisor's channel: JSON lines both ways, its end is an end."""

from __future__ import annotations

import asyncio
import json
import socket

from gateline.control.channel import MAX_LINE, Channel
from gateline.control.roster import Roster

DEADLINE = 10.0


def test_lines_go_both_ways_until_the_other_end_closes() -> None:
    async def run() -> list[object]:
        ours, theirs = socket.socketpair()
        with ours:
            channel = await Channel.open(theirs)
            channel.send("first_key", token="t")
            ours.sendall(b'{"event":"reload"}\n{"event":"stop"')
            heard: list[object] = [json.loads(await asyncio.to_thread(ours.makefile().readline))]
            ours.sendall(b"}\n")
            ours.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(DEADLINE):
                heard += [event async for event in channel.events()]
            await channel.close()
        return heard

    assert asyncio.run(run()) == [{"event": "first_key", "token": "t"}, {"event": "reload"}, {"event": "stop"}]


def test_a_line_without_end_ends_the_channel() -> None:
    async def run() -> list[object]:
        ours, theirs = socket.socketpair()
        with ours:
            channel = await Channel.open(theirs)
            sending = asyncio.create_task(asyncio.to_thread(_send_too_much, ours))
            async with asyncio.timeout(DEADLINE):
                heard: list[object] = [event async for event in channel.events()]
                await channel.close()
                await sending
        return heard

    assert asyncio.run(run()) == []


def _send_too_much(end: socket.socket) -> None:
    try:
        end.sendall(b"x" * (4 * MAX_LINE))
    except OSError:
        return


def test_the_roster_follows_deaths_and_starts() -> None:
    roster = Roster(range(2))
    alive = roster.alive
    roster.worker_died(1)
    assert alive == {0}
    roster.worker_started(1)
    assert (alive, roster.restarts) == ({0, 1}, {0: 0, 1: 1})
