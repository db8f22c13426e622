"""What a fuzz input says of how its bytes arrive."""

from __future__ import annotations


def pieces(data: bytes) -> tuple[bytes, list[bytes]]:
    """The input less its first byte, and the same cut into pieces of that many bytes."""
    size, body = (data[0] % 32 or 1, data[1:]) if data else (1, b"")
    return body, [body[start : start + size] for start in range(0, len(body), size)]
