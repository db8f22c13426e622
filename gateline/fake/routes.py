"""Which endpoint a request is for, in which vendor's format: by its path, and where two share one, by its headers."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import chain

from gateline.fake.objects import OPENAI
from gateline.fake.reply import Refusal, Reply, Voice
from gateline.fake.request import Request
from gateline.fake.turn import Route
from gateline.fake.wires import anthropic, bedrock, cohere, gemini, ollama, openai, openai_media, responses

DEFAULT_MODELS = ["gpt-4o", "gpt-4o-mini", "text-embedding-3-small"]
_ROUTES = list(
    chain(
        openai.ROUTES,
        responses.ROUTES,
        anthropic.ROUTES,
        gemini.ROUTES,
        bedrock.ROUTES,
        cohere.ROUTES,
        ollama.ROUTES,
        openai_media.ROUTES,
    )
)


def find_route(request: Request) -> tuple[Route, re.Match[str]] | None:
    """Raises Refusal where the path is known and the method is not its."""
    path = request.path
    wrong: Route | None = None
    for route in _ROUTES:
        match = route.path.fullmatch(path)
        if match is None:
            continue
        if route.method == request.method:
            return route, match
        wrong = route
    if wrong is None:
        return None
    raise Refusal(wrong_method(wrong))


def speaker(request: Request) -> tuple[Voice, Callable[[Request, str], bool]]:
    """For a path that no vendor has alone: whose client asks, and how it proves its key."""
    if request.header("anthropic-version"):
        return anthropic.VOICE, anthropic.proves
    if request.path.startswith("/v1beta/") or request.header("x-goog-api-key"):
        return gemini.VOICE, gemini.proves
    return OPENAI, Request.has_bearer


def wrong_method(route: Route) -> Reply:
    reply = route.voice.refuse(405, f"Not allowed here; allowed: {route.method}.", "method_not_allowed")
    return reply._replace(headers=(*reply.headers, ("allow", route.method)))


def catalogue(request: Request, models: list[str]) -> Reply:
    """The list of models, in the format of the client that asks. Raises Refusal for every other path."""
    path = request.path
    names = models or DEFAULT_MODELS
    voice, _ = speaker(request)
    if voice is anthropic.VOICE:
        listed = anthropic.models_page(path, names)
    elif voice is gemini.VOICE:
        listed = gemini.models_page(path, names)
    else:
        listed = openai.models_page(path, names, is_closed=bool(models))
    if listed is None:
        message = f"Unknown request URL: {request.method} {path}."
        raise Refusal(voice.refuse(404, message, "unknown_url"))
    if request.method not in {"GET", "HEAD"}:
        reply = OPENAI.refuse(405, "Not allowed here; allowed: GET, HEAD.", "method_not_allowed")
        raise Refusal(reply._replace(headers=(("allow", "GET, HEAD"),)))
    return listed
