"""What a local engine says of itself, asked over its own socket: it greets whoever connects with its state."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from gateline.model.engine import FromEngine, State
from gateline.wire.frames import FrameReader, FrameTooLarge

ASK_SECONDS = 1.0
_READ_BYTES = 64 * 1024
_decode = msgspec.msgpack.Decoder(FromEngine).decode


async def engine_state(path: Path) -> dict[str, Any]:
    """`state` is loading, ready or failed, `detail` says more; "away" when nothing answers within a second."""
    with suppress(OSError, TimeoutError, FrameTooLarge, msgspec.DecodeError):
        async with asyncio.timeout(ASK_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(path))
            try:
                state = await _greeting(reader)
            finally:
                writer.close()
        if state is not None:
            return {
                "state": state.state,
                "detail": state.detail,
                "waiting": state.waiting,
                "running": state.running,
            }
    return {"state": "away", "detail": "the engine does not answer"}


async def _greeting(reader: asyncio.StreamReader) -> State | None:
    """The first state, None when the connection ends before one came."""
    frames = FrameReader()
    while data := await reader.read(_READ_BYTES):
        for payload in frames.feed(data):
            message = _decode(payload)
            if isinstance(message, State):
                return message
    return None
