"""A peer that vanished without a word, found out by the kernel: models think for minutes without sending a byte, so no
timeout of ours can tell them from a host that is gone. The probes also keep a connection known to NATs and load
balancers on the way, of which many forget one that is silent for 350 s (AWS) or less."""

from __future__ import annotations

import asyncio
import socket

_IDLE = 30  # seconds of silence before the first probe
_INTERVAL = 10
_PROBES = 4
_UNACKNOWLEDGED = 60_000  # milliseconds for what was sent (RFC 5482)
_OPTIONS = [
    (name, value)
    for name, value in (
        (getattr(socket, "TCP_KEEPIDLE", None) or getattr(socket, "TCP_KEEPALIVE", None), _IDLE),
        (getattr(socket, "TCP_KEEPINTVL", None), _INTERVAL),
        (getattr(socket, "TCP_KEEPCNT", None), _PROBES),
        (getattr(socket, "TCP_USER_TIMEOUT", None), _UNACKNOWLEDGED),
    )
    if name is not None
]


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Has the kernel look after the connection of `transport`: one whose peer is gone ends within 70 s."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _OPTIONS:
        sock.setsockopt(socket.IPPROTO_TCP, name, value)
