"""What Ollama's clients ask before they call: its version (`/api/version`), and what a model can do (`/api/show`)."""

from __future__ import annotations

from typing import Any

import msgspec

from gateline.formats.contract import Body
from gateline.formats.moment import EPOCH, rfc3339
from gateline.formats.ollama.listing import Details
from gateline.formats.typed import read_typed
from gateline.model.errors import BadRequest
from gateline.model.snapshot import Card, Model

# The release whose API is served here: some clients look whether it is new enough.
VERSION = b'{"version":"0.13.0"}'
# Clients look for the size of a context under the name of the model's architecture.
_ARCHITECTURE = "gateline"
_encode = msgspec.json.Encoder().encode


class _Asked(msgspec.Struct):
    model: str | None = None
    name: str | None = None  # what the field was called before


class _Shown(msgspec.Struct):
    modified_at: str
    model_info: dict[str, Any]
    capabilities: list[str]
    details: Details = Details()
    modelfile: str = ""
    parameters: str = ""
    template: str = ""


_decoder = msgspec.json.Decoder(_Asked)


def read_asked(body: Body) -> str:
    """The model that a call of `/api/show` asks about. Raises BadRequest."""
    asked = read_typed(_decoder, body)
    name = asked.model or asked.name
    if not name:
        raise BadRequest("`model` is required", param="model", code="missing_required_parameter")
    return name


def model_object(model: Model) -> bytes:
    """The body that answers it. What is not known of a model it is not said to do, but to chat."""
    info: dict[str, Any] = {"general.architecture": _ARCHITECTURE}
    card = model.card
    if card is not None and card.context_window is not None:
        info[f"{_ARCHITECTURE}.context_length"] = card.context_window
    return _encode(_Shown(rfc3339(model.created) or EPOCH, info, _capabilities(card)))


def _capabilities(card: Card | None) -> list[str]:
    if card is None:
        return ["completion"]
    if card.kind == "embeddings":
        return ["embedding"]
    found = ["completion"] if card.kind == "chat" else []
    if card.tools:
        found.append("tools")
    if "image" in card.input:
        found.append("vision")
    if card.reasoning:
        found.append("thinking")
    return found
