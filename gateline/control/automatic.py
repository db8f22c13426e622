"""`models: auto`: a provider's whole list, each model under the name `provider/model`.

The list is the one the provider gave when it was asked (`lists`), else the catalogue's. Knows no network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from gateline.control.catalogue.entries import models_of
from gateline.control.config import Config, TargetSection
from gateline.model.call import KINDS
from gateline.providers.table import TABLE

MOST: Final = 2_000  # models in all: each has a row in every worker's metric columns
_NAME: Final = re.compile(r"[!-~]{1,200}")
_KIND_OF: Final = {  # the catalogue's words for what a call is
    "chat": "chat",
    "embeddings": "embeddings",
    "rerank": "rerank",
    "image": "images",
    "speech": "speech",
    "transcription": "transcriptions",
    "moderation": "moderations",
}

Lists = Mapping[str, Sequence[str]]  # models by the provider's name


def automatic_targets(config: Config, lists: Lists) -> dict[str, TargetSection]:
    """Public name → target, in the order of providers and of their lists, at most MOST. Names that the configuration
    gives to models of its own are left out; those that its fallbacks name are in, whatever the list says."""
    found: dict[str, TargetSection] = {}
    for provider, model in (*_named(config), *_listed(config, lists)):
        name = f"{provider}/{model}"
        if name in config.models or not model or not _NAME.fullmatch(name):
            continue
        if name not in found and len(found) < MOST:
            found[name] = TargetSection(provider=provider, model=model)
    return found


def automatic_provider(config: Config, name: str) -> str | None:
    """The provider whose list `name` would be on, None when no provider with a whole list is meant."""
    provider, slash, model = name.partition("/")
    section = config.providers.get(provider)
    return provider if slash and model and section is not None and section.models == "auto" else None


def _named(config: Config) -> Iterator[tuple[str, str]]:
    for section in config.models.values():
        for fallback in section.fallbacks:
            provider = automatic_provider(config, fallback)
            if provider is not None:
                yield provider, fallback[len(provider) + 1 :]


def _listed(config: Config, lists: Lists) -> Iterator[tuple[str, str]]:
    for name, section in config.providers.items():
        if section.models == "auto":
            models: Iterable[str] = lists[name] if name in lists else _of_catalogue(section.kind)
            for model in models:
                yield name, model


def _of_catalogue(vendor: str) -> Iterator[str]:
    """Those that can be called here: the vendor may have models for what no operation of its row does."""
    spoken = {KINDS[operation] for operation in TABLE[vendor].speaks}
    return (entry.id for entry in models_of(vendor) if _KIND_OF[entry.kind] in spoken)
