"""What only shows when sections are read together: names that lead nowhere, loops, weights that choose nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from gateline.control.automatic import automatic_provider
from gateline.control.compile import provider_of
from gateline.control.config import (
    LOCAL_MODELS,
    LOCAL_PROVIDER,
    Config,
    ModelSection,
    ProviderSection,
    base_url_of,
)
from gateline.control.credentials import OPTIONS, credential_mistakes
from gateline.control.mistakes import FieldPath, dotted
from gateline.control.pem import ca_fault, pair_fault
from gateline.providers.head import upstream_head
from gateline.providers.table import TABLE

Found = tuple[FieldPath, str, str]


def cross_check(config: Config, values: Any) -> list[Found]:
    """`values` is the document as read: what it leaves out matters, not only what its defaults say."""
    found = [
        *_server(config),
        *_providers(config),
        *(mistake for name, model in config.models.items() for mistake in _model(config, name, model)),
        *(mistake for name, model in config.models.items() for mistake in _fallbacks(config, name, model)),
        *_loops(config),
    ]
    serves = any(provider.models == "auto" or provider.passthrough for provider in config.providers.values())
    if not config.models and not serves and (config.providers or "models" in values):
        found.append((("models",), "", "no model is served: name at least one, such as local-chat, or write auto"))
    return [(path, field or dotted(path), message) for path, field, message in found]


def model_names(config: Config) -> tuple[str, ...]:
    """Every public name: those under `models`, and the local ones that only a fallback names."""
    named = list(config.models)
    fallbacks = [fallback for model in config.models.values() for fallback in model.fallbacks]
    targets = [
        target.model for model in config.models.values() for target in model.targets if target.provider == "local"
    ]
    local = LOCAL_MODELS if not config.models and not config.providers else (*fallbacks, *targets)
    return tuple(dict.fromkeys([*named, *(name for name in LOCAL_MODELS if name in local)]))


def _server(config: Config) -> Iterator[Found]:
    server = config.server
    if server.port and server.port == server.admin_port and server.host == server.admin_host:
        yield ("server", "admin_port"), "", "is the same as server.port: choose another"
    if server.tls is not None and (fault := pair_fault(server.tls.certificate, server.tls.key)) is not None:
        yield ("server", "tls", fault[0]), "", fault[1]
    if config.retry.cap < config.retry.base:
        yield ("retry", "cap"), "", "must not be below retry.base"


def _providers(config: Config) -> Iterator[Found]:
    for name, provider in config.providers.items():
        if name == LOCAL_PROVIDER:
            yield ("providers", name), "", "this name belongs to the local models, which need no provider: rename it"
        found = list(credential_mistakes(provider, TABLE[provider.kind]))
        for field, message in found:
            yield ("providers", name, field), "", message
        is_placed = not any(field in OPTIONS for field, _ in found)  # else the address or its paths have a gap
        if is_placed and not base_url_of(provider):
            yield ("providers", name, "base_url"), "", "is missing: add it, such as https://host/v1"
        elif is_placed and (message := _unaskable(name, provider)):
            yield ("providers", name, "base_url"), "", message
        if provider.ca_file is not None and (message := ca_fault(provider.ca_file)):
            yield ("providers", name, "ca_file"), "", message


def _unaskable(name: str, section: ProviderSection) -> str:
    """Why no request can be sent to a provider, by what makes the workers' requests; empty when one can."""
    provider = provider_of(name, section)
    try:
        upstream_head(provider, TABLE[provider.kind], TABLE[provider.kind].speaks[0], "model")
    except ValueError:
        if "$" in provider.host:
            return "has a bare $ in its host: write ${NAME} for a variable of the environment"
        return "has a host or a path that cannot stand in a request: letters, digits, dots and hyphens can"
    return ""


def _model(config: Config, name: str, model: ModelSection) -> Iterator[Found]:
    path: FieldPath = ("models", name)
    if not model.targets and name not in LOCAL_MODELS:
        yield (*path, "targets"), "", "is missing: name at least one {provider, model}"
    if model.targets and not any(target.weight for target in model.targets):
        yield (*path, "targets"), "", "every weight is 0: give at least one target a weight"
    seen: dict[tuple[str, str], int] = {}
    for index, target in enumerate(model.targets):
        where = (*path, "targets", index)
        if target.provider == LOCAL_PROVIDER:
            if target.model not in LOCAL_MODELS:
                yield (*where, "model"), "", f"the local provider has {' and '.join(LOCAL_MODELS)} only"
        elif target.provider not in config.providers:
            yield (*where, "provider"), "", _no_such("provider", target.provider, config.providers)
        first = seen.setdefault((target.provider, target.model), index)
        if first != index:
            yield where, "", f"repeats targets[{first}]: keep one and add the weights"


def _fallbacks(config: Config, name: str, model: ModelSection) -> Iterator[Found]:
    known = {*config.models, *LOCAL_MODELS}
    for index, fallback in enumerate(model.fallbacks):
        where = ("models", name, "fallbacks", index)
        if fallback not in known and automatic_provider(config, fallback) is None:
            yield where, "", _no_such("model", fallback, known)
        if fallback in model.fallbacks[:index]:
            yield where, "", "is named twice: keep the first"


def _no_such(what: str, name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}?" if close else f"add it under {what}s, or name one that is there"
    return f"there is no {what} of this name: {hint}"


def _loops(config: Config) -> Iterator[Found]:
    """Each loop of fallbacks once, at the fallback that closes it. Iterative: chains may be a thousand long."""
    settled: set[str] = set()
    for start in config.models:
        trail: list[str] = []
        pending: list[tuple[str, int]] = [(start, 0)]
        while pending:
            name, index = pending.pop()
            if index == 0:
                if name in settled:
                    continue
                trail.append(name)
            fallbacks = config.models[name].fallbacks if name in config.models else ()
            if index == len(fallbacks):
                settled.add(trail.pop())
                continue
            pending.append((name, index + 1))
            following = fallbacks[index]
            if following in trail:
                circle = " → ".join([*trail[trail.index(following) :], following])
                yield ("models", name, "fallbacks", index), "", f"fallbacks go in a circle: {circle}"
            else:
                pending.append((following, 0))
