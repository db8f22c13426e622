"""Ten thousand sockets that say nothing: bounded memory, a deadline, and no harm to who does speak."""

from __future__ import annotations

import contextlib
import resource
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateline.net.room import room
from tests.journey.gate import Gate, settings
from tests.journey.patience import until
from tests.journey.upstream import Upstream
from tests.journey.wire import ask, chat

_SOCKETS = 10_000
_ROOM_EACH = 16 * 1024  # bytes of resident memory a silent connection may cost


@pytest.fixture
def many_files() -> Iterator[int]:
    """As many silent sockets as this process may have and one worker takes, up to ten thousand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _SOCKETS + 500
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
    takes = _SOCKETS if hard == resource.RLIM_INFINITY else room(_SOCKETS + 50, hard) - 50
    yield min(_SOCKETS, limit - 500, takes)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def test_ten_thousand_silent_sockets_cost_little_and_are_closed(
    tmp_path: Path, upstream: Upstream, many_files: int
) -> None:
    """While they are open calls are answered; each costs bounded memory; the head deadline ends them all."""
    server = {"head_timeout": "15s", "connections": 20_000}
    with contextlib.ExitStack() as stack, Gate(tmp_path, settings(upstream.url, server=server)) as gate:
        gate.settle()
        assert ask(gate.port, chat(gate.token)).status == 200
        (pid,) = gate.worker_pids()
        before = _resident(pid)
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", gate.port))) for _ in range(many_files)]
        until(lambda: gate.metric("gateline_connections") >= many_files, "the gateway has them all")
        assert ask(gate.port, chat(gate.token)).status == 200
        assert _resident(pid) - before < many_files * _ROOM_EACH
        ended = select.poll()
        for each in silent:
            ended.register(each, select.POLLIN)
        closed: set[int] = set()

        def all_closed() -> bool:
            closed.update(fd for fd, _ in ended.poll(100))
            for fd in closed:
                with contextlib.suppress(KeyError):
                    ended.unregister(fd)
            return len(closed) == many_files

        until(all_closed, "every silent socket is closed")
        assert ask(gate.port, chat(gate.token)).status == 200
