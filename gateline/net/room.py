"""How many client connections a process can hold with the file descriptors that it may open. Standard library only."""

from __future__ import annotations

import contextlib
import resource

_RESERVE = 128  # descriptors for all that is no connection: journal, sockets of the gateway's own, DNS, files
_WANTED = (65_536, 10_240)  # the second is the most that macOS gives where its hard limit says "unlimited"


def raise_file_limit() -> int:
    """Raises the soft limit as far as is useful and allowed. Returns what it is then."""
    for wanted in _WANTED:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)  # noqa: PLW2901 - no use in asking for more
        if soft != resource.RLIM_INFINITY and soft < wanted:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return file_limit()


def file_limit() -> int:
    """Descriptors that this process may have open at once."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _WANTED[0] if soft == resource.RLIM_INFINITY else soft


def room(configured: int, files: int) -> int:
    """Client connections that may be open at once: each may need a connection to an upstream beside its own."""
    return max(1, min(configured, (files - _RESERVE) // 2))
