"""What a vendor answers to a neutral call: the fake's own bytes, without a socket."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from msgspec import Raw, json

from gateline.fake.provider import Provider
from gateline.fake.reply import Piece
from gateline.fake.request import Request
from gateline.fake.script import Script
from gateline.formats.table import CLIENTS
from gateline.model.chat import Chat, Media, Output, Part, Text, Thinking, Tool, Turn
from gateline.providers.paths import PATHS
from gateline.providers.table import TABLE
from tests.contract.scene import PICTURE_TEXT, PROMPT, SCHEMA, SYSTEM, TOOLS, Scene
from tests.contract.vendors import Vendor


@dataclass(frozen=True, slots=True)
class Played:
    """`chat` as the vendor was asked, its `whole` answer and the `pieces` (events) of the same answer streamed."""

    chat: Chat
    whole: bytes
    pieces: list[Piece]


def neutral(scene: Scene) -> Chat:
    parts: list[Part] = [Text(text=PROMPT)]
    if scene.image:
        parts.append(Media(kind="image", mime="image/png", data=PICTURE_TEXT))
    chat = Chat(
        model="asked",
        turns=[Turn(role="system", parts=[Text(text=SYSTEM)]), Turn(role="user", parts=parts)],
        include_usage=True,
    )
    if scene.tools:
        chat.tools = [
            Tool(name=name, description=told, schema=Raw(json.encode(schema))) for name, told, schema in TOOLS
        ]
    if scene.schema:
        chat.output = Output(kind="schema", name="where", schema=Raw(json.encode(SCHEMA)), strict=True)
    if scene.thinks:
        chat.thinking = Thinking(effort="low", budget=2048, is_shown=True)
    return chat


def play(vendor: Vendor, scene: Scene) -> Played:
    chat = neutral(scene)
    whole, stream = (_ask(vendor, scene, chat, stream=stream) for stream in (False, True))
    return Played(chat, b"".join(piece.data for piece in whole), stream)


def _ask(vendor: Vendor, scene: Scene, chat: Chat, *, stream: bool) -> list[Piece]:
    cue = scene.cue.replace("{after}", "0")
    model = f"{vendor.model}@{cue}" if cue else vendor.model
    chat.stream = stream
    written = CLIENTS[vendor.operation].write(chat, model, TABLE[vendor.kind].dialect)
    plain, _, streamed = PATHS[vendor.operation].partition("|")
    path = vendor.root + (streamed if stream and streamed else plain).format(model=quote(model, safe=""))
    headers = [("authorization", "Bearer key"), ("x-goog-api-key", "key"), ("anthropic-version", "2023-06-01")]
    reply = Provider(Script()).answer(Request("POST", path, "HTTP/1.1", headers, written.body)).reply
    pieces = list(reply.pieces)
    assert reply.status == 200, pieces
    return pieces
