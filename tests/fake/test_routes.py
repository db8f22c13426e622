"""Which endpoint a request is for."""

from __future__ import annotations

import json

import pytest

from gateline.fake.provider import Provider
from gateline.fake.reply import Refusal
from gateline.fake.request import Request
from gateline.fake.routes import find_route
from gateline.fake.script import Script


def request(path: str, method: str = "POST", **headers: str) -> Request:
    return Request(method, path, "1.1", [(name.replace("_", "-"), value) for name, value in headers.items()], b"")


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/models/a:b:generateContent?key=x", "a:b"),
        ("/v1beta/models/m%40tools:streamGenerateContent", "m%40tools"),
        ("/v1/projects/p/locations/l/publishers/google/models/m:countTokens", "m"),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/m@20250101:rawPredict", "m@20250101"),
        ("/model/anthropic.claude-v1%3A0/converse", "anthropic.claude-v1%3A0"),
        ("/openai/deployments/d/chat/completions?api-version=1", "d"),
    ],
)
def test_models_are_found_in_paths(path: str, model: str) -> None:
    """As they came, the last colon dividing the name from the verb."""
    found = find_route(request(path))
    assert found is not None
    assert found[1]["model"] == model


def test_another_method_is_refused_in_the_formats_words() -> None:
    """405 with the one that is allowed; a path of nobody is no route."""
    with pytest.raises(Refusal) as refused:
        find_route(request("/v1/messages", "GET"))
    assert (refused.value.reply.status, ("allow", "POST") in refused.value.reply.headers) == (405, True)
    assert find_route(request("/v1/nothing")) is None


@pytest.mark.parametrize(
    ("path", "headers", "field"),
    [
        ("/v1/models", {}, "data"),
        ("/v1/models", {"x_goog_api_key": "k"}, "models"),
        ("/v1beta/models", {}, "models"),
        ("/v1/models", {"anthropic_version": "2023-06-01"}, "data"),
    ],
)
def test_the_list_of_models_is_in_the_format_of_who_asks(path: str, headers: dict[str, str], field: str) -> None:
    """By header, since three vendors have it under one path; an unknown path is 404 in the same voice."""
    provider = Provider(Script(models=["one"]))
    reply = provider.answer(request(path, "GET", **headers)).reply
    listed = json.loads(b"".join(piece.data for piece in reply.pieces))
    assert [one.get("id", one.get("name")) for one in listed[field]] == ["models/one" if field == "models" else "one"]
    missing = provider.answer(request("/v1/nothing", "GET", **headers)).reply
    assert (missing.status, b"Unknown request URL" in b"".join(piece.data for piece in missing.pieces)) == (404, True)
