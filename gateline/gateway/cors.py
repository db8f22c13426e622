"""Cross-origin answers (Fetch standard, section 3.2): which browser pages may read what the gateway says."""

from __future__ import annotations

from gateline.model.snapshot import Cors
from gateline.wire.http1_write import header_lines


def cors_lines(cors: Cors, origin: bytes) -> bytes:
    """The lines that let a browser page of `origin` read an answer; none when the configuration does not name it."""
    if not origin or not cors.origins:
        return b""
    if "*" in cors.origins:
        return b"access-control-allow-origin: *\r\n"
    if origin.decode("latin-1") in cors.origins:
        return header_lines([(b"access-control-allow-origin", origin)]) + b"vary: origin\r\n"
    return b""
