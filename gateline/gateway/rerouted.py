"""Calls that pass with a choice of their own: of another model, host or account than the configured one."""

from __future__ import annotations

import json

from msgspec import Raw

from gateline.formats.form import form_names
from gateline.gateway.exchange import Exchange
from gateline.gateway.hop import Hop
from gateline.gateway.router import TargetRoute
from gateline.model.errors import BadRequest

_CHOICES = ("model", "models", "analysis_models")


def refuse_rerouted(exchange: Exchange, target: TargetRoute, hop: Hop) -> None:
    """For a key that is limited to models: raises BadRequest when the call could reach others by a field of its own.
    What is translated holds no such field."""
    call = exchange.call
    if hop.client is not None or call is None:
        return
    routed_by = target.row.routed_by
    if routed_by:
        for name in _form_names(exchange) if call.form else call.fields:
            if name.partition("[")[0].casefold() in routed_by:
                raise _refusal(name[:64])
    tools = call.fields.get("tools")
    if tools is not None and _calls_models(tools):
        raise _refusal("tools")


def is_rerouted(exchange: Exchange, target: TargetRoute) -> bool:
    """Whether what was configured says nothing of the price, since the call chose for itself."""
    hop, call = exchange.hop, exchange.call
    return (
        hop is not None and hop.client is None and call is not None and not target.row.routed_by.isdisjoint(call.fields)
    )


def _form_names(exchange: Exchange) -> list[str]:
    return form_names(exchange.body, exchange.connection.request.content_type or b"")


def _calls_models(tools: Raw) -> bool:
    """Whether a tool of the vendor's own is told which model to ask: an advisor, an image's maker, a panel. Read as
    loosely as any vendor may."""
    text = bytes(tools).decode("utf-8", "replace")
    if "model" not in text and "\\" not in text:
        return False
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        return True
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and (_chooses(entry) or _chooses(entry.get("parameters"))):
            return True
    return False


def _chooses(fields: object) -> bool:
    return isinstance(fields, dict) and any(fields.get(name) for name in _CHOICES)


def _refusal(name: str) -> BadRequest:
    return BadRequest(
        f"`{name}` can choose another model than the one asked for, and this key may use some models only: leave it "
        "out.",
        param=name,
        code="key_is_limited",
    )
