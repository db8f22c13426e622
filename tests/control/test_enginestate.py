from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from gateline.control import enginestate as module
from gateline.control.enginestate import engine_state
from gateline.model.engine import End, State
from gateline.wire.frames import frame

AWAY = {"state": "away", "detail": "the engine does not answer"}


async def asked(path: Path, said: bytes, *, hold: bool = False) -> dict[str, object]:
    """The answer of an engine that says this, and keeps the connection open if it is to `hold` it."""
    over = asyncio.Event()

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        if hold:
            await over.wait()
        writer.close()

    server = await asyncio.start_unix_server(greet, str(path))
    try:
        return await engine_state(path)
    finally:
        over.set()
        server.close()


def test_the_first_state_is_the_answer(tmp_path: Path) -> None:
    """Other messages before it are passed over, and the connection need not end."""
    said = b"".join(frame(msgspec.msgpack.encode(each)) for each in (End(1), State("ready", "", 0.0, 4, 2)))
    answer = asyncio.run(asked(tmp_path / "s", said, hold=True))
    assert answer == {"state": "ready", "detail": "", "waiting": 4, "running": 2}


@pytest.mark.parametrize("said", [b"", frame(b"\xc1 nonsense"), b"\xff\xff\xff\xff"])
def test_whoever_says_no_state_is_away(tmp_path: Path, said: bytes) -> None:
    assert asyncio.run(asked(tmp_path / "s", said)) == AWAY


def test_an_engine_that_is_silent_or_not_there_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for no longer than the bound."""
    monkeypatch.setattr(module, "ASK_SECONDS", 0.05)
    assert asyncio.run(asked(tmp_path / "s", b"", hold=True)) == AWAY
    assert asyncio.run(engine_state(tmp_path / "nobody")) == AWAY
