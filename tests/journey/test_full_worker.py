"""`server.connections`: a worker that has as many clients as it may takes the next when one leaves."""

from __future__ import annotations

import select
import socket
from pathlib import Path

from tests.journey.gate import Gate, settings
from tests.journey.upstream import Upstream
from tests.journey.wire import Wire, chat, request

_ROUNDS = 50  # answers to those inside, while one waits outside: each a turn of the loop that could have let it in


def test_a_full_worker_keeps_the_next_client_waiting(tmp_path: Path, upstream: Upstream) -> None:
    """Those inside are served; who waits is neither answered nor refused, and is served once there is a place."""
    with (
        Gate(tmp_path, settings(upstream.url, server={"connections": 2})) as gate,
        Wire(gate.port) as first,
        Wire(gate.port) as second,
    ):
        for inside in (first, second):
            assert inside.send(request("GET", "/livez")).answer().status == 200
        with socket.create_connection(("127.0.0.1", gate.port), timeout=60) as waiting:
            waiting.sendall(request("GET", "/livez"))
            for _ in range(_ROUNDS):
                assert first.send(chat(gate.token)).answer().status == 200
            assert select.select([waiting], [], [], 0)[0] == []
            second.close()
            assert waiting.recv(15) == b"HTTP/1.1 200 OK"
