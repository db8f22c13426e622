"""What is asked of every client and every vendor: one scene each, told to the fake provider by a cue in its model."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Scene:
    """`cue` as in `gateline/fake/cue.py`, where `{after}` is the number of events that nobody sees at a vendor.
    What the request has beside its text: `tools`, an `image`, a `schema`, a wish to see reasoning (`thinks`)."""

    name: str
    cue: str = ""
    tools: bool = False
    image: bool = False
    schema: bool = False
    thinks: bool = False


def _scenes(*scenes: Scene) -> dict[str, Scene]:
    return {scene.name: scene for scene in scenes}


# One turn that is answered, whole and streamed alike.
ANSWERED = _scenes(
    Scene("text", "cached=3"),
    Scene("characters", "split"),
    Scene("one tool", "tools=1", tools=True),
    Scene("parallel tools", "tools=3", tools=True),
    Scene("text and tools", "tools=2,tokens=5", tools=True),
    Scene("empty arguments", "tools=1,arguments=none", tools=True),
    Scene("arguments in one chunk", "tools=2,arguments=one", tools=True),
    Scene("arguments only at done", "tools=2,arguments=done", tools=True),
    Scene("image", image=True),
    Scene("JSON schema", schema=True),
    Scene("refusal", "refusal"),
    Scene("length stop", "finish=length"),
)
# Two turns: what was reasoned goes back with what the tool returned.
REASONED = Scene("reasoning over two turns", "reasoning_text=shown,tools=1", tools=True, thinks=True)
HIDDEN = Scene("hidden reasoning over two turns", "reasoning_text=hidden,tools=1", tools=True, thinks=True)
TWO_TURNS = _scenes(REASONED, HIDDEN)
# The second turn of another vendor's conversation.
FOREIGN = "foreign signatures"
STATUSES = (400, 401, 403, 404, 429, 500, 503, 529)
REFUSED = _scenes(*(Scene(f"status {status}", f"status={status}") for status in STATUSES))
# Streams that do not come to their end, and bodies that are cut.
BROKEN = _scenes(
    Scene("cut", "cut,after=5,tps=1000"),
    Scene("error event", "error_event,after=5,tps=1000"),
    Scene("malformed event", "bad_json,after=5,tps=1000"),
    Scene("no end", "no_done,tps=1000"),
)
# Nothing that the client would see has come: the model's fallback answers.
FAILS_OVER = Scene("error before the first visible event", "error_event,after={after}")

LEDGER = "usage in the ledger"

SCENARIOS = (*ANSWERED, *TWO_TURNS, FOREIGN, *REFUSED, *BROKEN, FAILS_OVER.name, LEDGER)

PROMPT = "Where does the line to the river go? Answer in JSON if you can."
SYSTEM = "You know every train."
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "trains": {"type": "integer"}},
    "required": ["city", "trains"],
    "additionalProperties": False,
}
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Where."}, "days": {"type": "integer"}},
    "required": ["city"],
}
CLOCK: dict[str, Any] = {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]}
# name, description, schema of its arguments
TOOLS = (("weather", "The weather in a city.", WEATHER), ("clock", "The time in a zone.", CLOCK))
RESULT = json.dumps({"sun": True})


def _pixel() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")
    )


PICTURE = _pixel()
PICTURE_TEXT = base64.b64encode(PICTURE).decode()
