"""One gateway before one fake provider that is every vendor, and what the fake knows of each answer it gave."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateline.fake import perform as fake_perform
from gateline.fake import turn
from gateline.fake.answer import Answer
from gateline.fake.invoice import Line
from gateline.model.usage import Usage
from tests.contract.libraries import SPEAKERS
from tests.contract.scene import ANSWERED, BROKEN, FAILS_OVER, REFUSED, TWO_TURNS, Scene
from tests.contract.vendors import VENDORS, Vendor
from tests.journey.gate import Gate, Row
from tests.journey.patience import until
from tests.journey.upstream import Upstream


class Stage:
    """`answers` are the fake's own, in its words and no format's, in the order it gave them. `claims`: by cell, what
    the ledger must have of each call: the tokens that the vendor reported, None for a call that failed.
    `failovers` are calls that another target took over."""

    def __init__(self, gate: Gate, upstream: Upstream, answers: list[Answer]) -> None:
        self.gate = gate
        self.upstream = upstream
        self.answers = answers
        self.claims: dict[tuple[str, str], dict[str, Usage | None]] = defaultdict(dict)
        self.failovers: list[str] = []

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.gate.port}"

    @property
    def token(self) -> str:
        return self.gate.token

    def line(self) -> Line:
        """The invoice's last line."""
        return self.upstream.lines()[-1]

    def body(self) -> str:
        """The body of the vendor's last request."""
        return str(self.upstream.heard()["body"])

    def claim(self, cell: tuple[str, str], request_id: str) -> None:
        """The ledger is to have this call, with what the vendor's invoice says of it now; asked of all calls of a cell
        at once, since each question makes the control process import."""
        line = self.line()
        is_whole = line.outcome != "faulted" and line.status == 200
        self.claims[cell][request_id] = line.reported if is_whole else None

    def records(self, ids: list[str]) -> dict[str, Row]:
        """The ledger's records of these calls, by id."""
        wanted = set(ids)
        return until(lambda: self._found(wanted), f"records of {ids}")

    def _found(self, wanted: set[str]) -> dict[str, Row]:
        self.gate.ask_control("GET", "/usage")  # imports what the workers have written
        with sqlite3.connect(self.gate.data.database) as database:
            database.row_factory = sqlite3.Row
            rows = [dict(row) for row in database.execute("SELECT * FROM records")]
        database.close()
        found = {row["id"]: {**row, "attempts": json.loads(row["attempts"])} for row in rows if row["id"] in wanted}
        return found if len(found) == len(wanted) else {}


def model_name(vendor: str, scene: Scene) -> str:
    """What clients call the model that plays this scene."""
    return f"{vendor}.{scene.name.replace(' ', '-').replace(',', '').lower()}"


def _cue(vendor: Vendor, scene: Scene) -> str:
    return scene.cue.replace("{after}", str(vendor.hidden))


def configuration(origin: str) -> dict[str, Any]:
    scenes = [*ANSWERED.values(), *TWO_TURNS.values(), *REFUSED.values(), *BROKEN.values()]
    models: dict[str, Any] = {}
    options = {"bedrock": {"region": "eu-west-1"}}
    for name, vendor in VENDORS.items():
        for scene in scenes:
            cue = _cue(vendor, scene)
            # a key that was refused is used less: other scenes have another
            provider = f"{name}-refusing" if scene.name in REFUSED else name
            target = {"provider": provider, "model": f"{vendor.model}@{cue}" if cue else vendor.model}
            models[model_name(name, scene)] = {"targets": [target]}
        for number, client in enumerate(SPEAKERS):
            # a target each: one that failed a few times is used less
            target = {"provider": name, "model": f"{vendor.model}@{_cue(vendor, FAILS_OVER)},tokens={20 + number}"}
            fallbacks = [model_name(name, ANSWERED["text"])]
            models[f"{model_name(name, FAILS_OVER)}.{client}"] = {"targets": [target], "fallbacks": fallbacks}
    return {
        "server": {"admin_port": 0, "drain_delay": 0},
        "providers": {
            name + suffix: {"kind": vendor.kind, "base_url": origin + vendor.root, "api_key": f"sk-of-{name}{suffix}"}
            | options.get(name, {})
            for name, vendor in VENDORS.items()
            for suffix in ("", "-refusing")
        },
        "models": models,
        "retry": {"attempts": 2, "base": "1ms", "cap": "2ms"},
    }


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    answers: list[Answer] = []
    perform = fake_perform.perform

    def remember(*given: Any, **named: Any) -> Answer:
        answers.append(perform(*given, **named))
        return answers[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turn, "perform", remember)
        with Upstream() as upstream:
            config = configuration(upstream.url.removesuffix("/v1"))
            with Gate(folder, config) as gate:
                gate.settle()
                yield Stage(gate, upstream, answers)
