"""The longest names that are let in fit where a call keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateline.control.compile import RowRegistry, compile_snapshot
from gateline.control.config import Config
from gateline.control.keys import BadKey, KeyWish
from gateline.model.call import Operation
from gateline.model.record import Opened
from gateline.store.inflight import InFlight

LONGEST_ID = f"req_{2**22:x}{2**63:x}0{2**63:x}"  # the largest process number, time and count
KEY_ID = "key_" + "f" * 20


def test_the_longest_call_fits_a_slot_of_the_table_of_calls_in_flight(tmp_path: Path) -> None:
    """Tenant, key, model and target at their longest, in bytes: no configuration makes every call of a model fail."""
    model, provider, upstream, tenant = "m" * 200, "p" * 64, "é" * 128, "t" * 64
    KeyWish("n", tenant=tenant, models=(model,)).check()
    config = Config.model_validate(
        {
            "providers": {provider: {"kind": "openai-compatible", "base_url": "http://h/v1"}},
            "models": {model: {"targets": [{"provider": provider, "model": upstream}]}},
        }
    )
    (target,) = compile_snapshot(config, RowRegistry(), 1).models["default"][model].targets
    operation: Operation = "chat.completions"
    opened = Opened(LONGEST_ID, tenant, KEY_ID, 2**31, operation, model, target.label, stream=True, started=2**63)
    slots = InFlight(tmp_path, "1-1", slots=1)
    assert slots.open(msgspec.msgpack.encode(opened)) == 0
    slots.detach()


def test_a_name_that_is_longer_is_let_in_nowhere() -> None:
    """The bounds that the slot counts on: one character more is refused."""
    mistakes: tuple[dict[str, Any], ...] = (
        {"providers": {"p" * 65: {"kind": "openai"}}},
        {"models": {"m" * 201: {}}},
        {"models": {"m": {"targets": [{"provider": "p", "model": "é" * 129}]}}},
    )
    for mistake in mistakes:
        with pytest.raises(ValueError, match="1 validation error"):
            Config.model_validate(mistake)
    for wish in (KeyWish("n" * 201), KeyWish("n", tenant="t" * 65), KeyWish("n", models=("m" * 201,))):
        with pytest.raises(BadKey):
            wish.check()
