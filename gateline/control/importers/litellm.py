"""A configuration of the LiteLLM proxy (docs.litellm.ai/docs/proxy/configs), turned into ours as far as it goes.

Whatever does not come along is named with its line and the reason: nothing is lost without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from gateline.control.document import Document
from gateline.control.importers.litellm_deployment import (
    Deployment,
    NotCarried,
    is_true,
    number,
    read_deployment,
)
from gateline.control.importers.litellm_fallbacks import Fallbacks
from gateline.control.importers.litellm_reasons import REASONS, UNKNOWN
from gateline.control.mistakes import FieldPath, dotted
from gateline.control.written import block

_HEAD: Final = "# From a LiteLLM configuration, by `gateline import litellm`.\n"
_PROVIDER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MODEL: Final = re.compile(r"[!-~]{1,200}")
_LONGEST: Final = 900  # seconds that a request may take here unless told otherwise
_MOST_WEIGHT: Final = 1_000_000
_SECTIONS: Final = ("litellm_settings", "router_settings", "general_settings", "environment_variables")


class Left(NamedTuple):
    """A field that did not come along, or not whole. `line` in the LiteLLM file; 0 where there is none."""

    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.line}: {self.field}: {self.reason}"


class Imported(NamedTuple):
    text: str
    left: list[Left]
    providers: int
    models: int


def import_litellm(document: Document) -> Imported:
    """Never raises for what it reads: a file that says nothing of models comes out empty, with the reason."""
    return _Import(document).run()


class _Import:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._values: Mapping[str, Any] = document.values if isinstance(document.values, dict) else {}
        self._left: list[Left] = []
        self._providers: dict[str, dict[str, Any]] = {}
        self._targets: dict[str, dict[tuple[str, str], Deployment]] = {}
        self._aliases: dict[str, str] = {}

    def run(self) -> Imported:
        entries = list(self._entries())
        for path, name, params, info in entries:
            if name.endswith("*"):
                self._wildcard(path, name, params, info)
        for path, name, params, info in entries:
            if not name.endswith("*"):
                self._entry(path, name, params, info)
        self._alias()
        fallbacks = self._fallbacks()
        self._settings()
        sections: dict[str, Any] = {}
        seconds = self._timeout()
        if seconds and seconds > _LONGEST:
            sections["server"] = {"request_timeout": min(seconds, Decimal(86_400))}
        if self._providers:
            sections["providers"] = self._providers
        models = self._models(fallbacks)
        if models:
            sections["models"] = models
        if (retries := self._retries()) is not None:
            sections["retry"] = {"attempts": retries}
        self._left.sort()
        return Imported(_HEAD + block(sections), self._left, len(self._providers), len(models))

    # --- model_list ---

    def _entries(self) -> Iterator[tuple[FieldPath, str, dict[str, Any], dict[str, Any]]]:
        found = self._values.get("model_list")
        if not isinstance(found, list):
            self._leave(("model_list",), "is missing: it is where LiteLLM's models are")
            return
        for index, entry in enumerate(found):
            path: FieldPath = ("model_list", index)
            params = entry.get("litellm_params") if isinstance(entry, dict) else None
            name = entry.get("model_name") if isinstance(entry, dict) else None
            if not isinstance(params, dict) or not isinstance(name, str):
                self._leave(path, "has no model_name and litellm_params")
                continue
            info = entry.get("model_info")
            for field in entry.keys() - {"model_name", "litellm_params"}:
                reason = REASONS["model_list"].get(field, UNKNOWN)
                self._leave((*path, field), reason)
            yield path, name, self._with_credential(path, params), info if isinstance(info, dict) else {}

    def _with_credential(self, path: FieldPath, params: dict[str, Any]) -> dict[str, Any]:
        """`litellm_credential_name` stands for an entry of `credential_list`."""
        name = params.get("litellm_credential_name")
        if name is None:
            return params
        listed = self._values.get("credential_list")
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict) and entry.get("credential_name") == name:
                values = entry.get("credential_values")
                rest = {field: value for field, value in params.items() if field != "litellm_credential_name"}
                return {**(values if isinstance(values, dict) else {}), **rest}
        self._leave((*path, "litellm_params", "litellm_credential_name"), "names no entry of credential_list")
        return {field: value for field, value in params.items() if field != "litellm_credential_name"}

    def _read(self, path: FieldPath, params: dict[str, Any], info: dict[str, Any]) -> Deployment | None:
        where = (*path, "litellm_params")
        try:
            return read_deployment(
                params, info, self._timeout(), lambda field, reason: self._leave((*where, field), reason)
            )
        except NotCarried as error:
            self._leave((*where, "model"), f"the whole entry: {error}")
            return None

    def _wildcard(self, path: FieldPath, name: str, params: dict[str, Any], info: dict[str, Any]) -> None:
        """`vendor/*` is the provider's whole list, under its name."""
        called = name.removesuffix("/*")
        if called == name or not str(params.get("model", "")).endswith("/*") or not _PROVIDER.fullmatch(called):
            self._leave((*path, "model_name"), "only NAME/* for a vendor's whole list (vendor/*) is served, as NAME/…")
            return
        found = self._read(path, params, info)
        if found is None:
            return
        if called in self._providers:
            self._leave((*path, "model_name"), f"the list of {called} is served already: one provider has one list")
            return
        self._providers[called] = {**found.provider, "models": "auto"}

    def _entry(self, path: FieldPath, name: str, params: dict[str, Any], info: dict[str, Any]) -> None:
        if not _MODEL.fullmatch(name):
            self._leave((*path, "model_name"), "a name has no spaces, is plain ASCII and has at most 200 characters")
            return
        found = self._read(path, params, info)
        if found is None:
            return
        if not 1 <= len(found.model.encode()) <= 256:
            self._leave(
                (*path, "litellm_params", "model"), "the whole entry: a vendor's name of a model has 1 to 256 bytes"
            )
            return
        targets = self._targets.setdefault(name, {})
        key = (self._provider(found.provider), found.model)
        if key in targets:
            targets[key].weight = (targets[key].weight or Decimal(1)) + (found.weight or Decimal(1))
        else:
            targets[key] = found

    def _provider(self, section: dict[str, Any]) -> str:
        """The name of the provider that is this section; entries that agree share one."""
        for name, other in self._providers.items():
            if {field: value for field, value in other.items() if field != "models"} == section:
                return name
        name = section["kind"]
        count = 2
        while name in self._providers:
            name = f"{section['kind']}-{count}"
            count += 1
        self._providers[name] = section
        return name

    # --- settings ---

    def _section(self, name: str) -> Mapping[str, Any]:
        found = self._values.get(name)
        return found if isinstance(found, dict) else {}

    def _first(self, *places: tuple[str, str]) -> Any:
        return next(
            (value for section, name in places if (value := self._section(section).get(name)) is not None), None
        )

    def _timeout(self) -> Decimal | None:
        return number(self._first(("router_settings", "timeout"), ("litellm_settings", "request_timeout")) or "")

    def _retries(self) -> int | None:
        found = number(self._first(("router_settings", "num_retries"), ("litellm_settings", "num_retries")))
        return None if found is None else min(int(found) + 1, 10)

    def _alias(self) -> None:
        found = self._section("router_settings").get("model_group_alias")
        for name, model in found.items() if isinstance(found, dict) else ():
            there = model.get("model") if isinstance(model, dict) else model
            if there in self._targets and name not in self._targets and _MODEL.fullmatch(name):
                self._aliases[name] = str(there)
            else:
                self._leave(
                    ("router_settings", "model_group_alias", name), "names no model that was carried, or is one"
                )

    def _fallbacks(self) -> dict[str, list[str]]:
        """Of each model, in order; what they name that has no section of its own gets one."""
        automatic = {name for name, section in self._providers.items() if "models" in section}
        fallbacks = Fallbacks(set(self._targets), self._aliases, automatic, self._leave)
        for section in ("litellm_settings", "router_settings"):
            fallbacks.read((section, "fallbacks"), self._section(section).get("fallbacks"))
        for section in ("litellm_settings", "router_settings"):
            fallbacks.read_default((section, "default_fallbacks"), self._section(section).get("default_fallbacks"))
        return fallbacks.found

    def _settings(self) -> None:
        """Everything else in the other sections, with the reason."""
        strategy = self._section("router_settings").get("routing_strategy")
        for name in _SECTIONS:
            reasons = REASONS[name]
            for field, value in self._section(name).items():
                if reasons.get(field, UNKNOWN) == "" or (field == "drop_params" and is_true(value)):
                    continue
                if field == "routing_strategy" and strategy == "simple-shuffle":
                    continue
                self._leave((name, field), reasons.get(field, reasons.get("", UNKNOWN)))
        for name in self._values.keys() - {"model_list", "credential_list", *_SECTIONS}:
            self._leave((name,), REASONS["file"].get(name, UNKNOWN))

    # --- our models ---

    def _models(self, fallbacks: dict[str, list[str]]) -> dict[str, Any]:
        models: dict[str, Any] = {}
        for name, targets in self._targets.items():
            models[name] = {"targets": _target_list(targets)}
        for name, names in fallbacks.items():
            if name not in models:  # one of a whole list
                provider, _, model = name.partition("/")
                models[name] = {"targets": [{"provider": provider, "model": model}]}
            if names:
                models[name] = {**models[name], "fallbacks": names}
        return models | {name: models[there] for name, there in self._aliases.items()}

    def _leave(self, path: FieldPath, reason: str) -> None:
        self._left.append(Left(self._document.line_of(path), dotted(path), reason))


def _target_list(targets: Mapping[tuple[str, str], Deployment]) -> list[dict[str, Any]]:
    weights = _weights([found.weight for found in targets.values()])
    return [
        {
            "provider": provider,
            "model": model,
            **({"weight": weight} if weight != 1 else {}),
            **({"price": found.price} if found.price else {}),
        }
        for (provider, model), found, weight in zip(targets, targets.values(), weights, strict=True)
    ]


def _weights(given: list[Decimal | None]) -> list[int]:
    """As whole numbers in the same proportion. Nobody's share is nothing only because another's is said."""
    if len(given) < 2 or not any(given):
        return [1] * len(given)
    known = [weight for weight in given if weight]
    usual = min(known)
    filled = [usual if weight is None else weight for weight in given]
    scale = Decimal(1) if all(weight == int(weight) for weight in filled) else Decimal(1000)
    scale = min(scale, _MOST_WEIGHT / max(filled))
    return [max(int(weight * scale), 1) if weight else 0 for weight in filled]
