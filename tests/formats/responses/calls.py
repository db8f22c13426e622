"""Calls for responses as their clients send them and as vendors get them."""

from __future__ import annotations

import json
from typing import Any

from openai.types.responses import response_create_params
from pydantic import TypeAdapter

from gateline.formats.call import read_call
from gateline.formats.dialect import Dialect
from gateline.formats.responses.read_request import read_chat
from gateline.formats.responses.write_request import write_chat
from gateline.model.chat import Chat, Text, Turn

OPENAI = Dialect(has_developer=True)
_PARAMS: TypeAdapter[Any] = TypeAdapter(response_create_params.ResponseCreateParamsNonStreaming)


def asked(**fields: object) -> Chat:
    body = json.dumps({"model": "m"} | fields).encode()
    return read_chat(read_call(body, "responses"), body)


def sent(chat: Chat, dialect: Dialect = OPENAI) -> tuple[dict[str, Any], list[str]]:
    """What a vendor gets, checked against the official types, and what it does not."""
    written = write_chat(chat, "vendor-model", dialect)
    found: dict[str, Any] = json.loads(written.body)
    assert found["model"] == "vendor-model"
    _PARAMS.validate_python(found | {"stream": False})
    return found, list(written.dropped)


def talk(*turns: Turn, **fields: Any) -> Chat:
    return Chat(model="m", turns=list(turns), **fields)


def user(text: str = "hi") -> Turn:
    return Turn(role="user", parts=[Text(text=text)])
