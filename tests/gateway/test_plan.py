"""Where a call may go, and in which order."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.gateway.plan import choose, plan, targets
from gateline.gateway.router import ModelRoute, TargetRoute
from gateline.model.call import Call
from gateline.model.errors import Forbidden, ModelNotFound
from gateline.model.key import Key
from gateline.model.snapshot import Model, Provider
from tests.gateway.rig import Gate, call, error, model, provider, snapshot, status
from tests.net.transport import on_loop


def target(weight: int, in_flight: int = 0) -> TargetRoute:
    """What `choose` looks at of a target."""
    fake: Any = SimpleNamespace(target=SimpleNamespace(weight=weight), in_flight=in_flight)
    return fake  # type: ignore[no-any-return]


weights = st.lists(st.integers(1, 100), min_size=1, max_size=6)
draws = st.floats(0, 1, exclude_max=True)


@given(weights, draws)
def test_weights_decide_between_idle_targets(shares: list[int], draw: float) -> None:
    """The draw falls into the weight of exactly the target that is chosen."""
    ready = [target(weight) for weight in shares]
    picked = choose(ready, draw)
    (chosen,) = [place for place, each in enumerate(ready) if each is picked]
    assert sum(shares[:chosen]) <= draw * sum(shares) < sum(shares[: chosen + 1])


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 50)), min_size=1, max_size=6), draws)
def test_a_busy_target_gives_way_to_the_least_busy_one(loads: list[tuple[int, int]], draw: float) -> None:
    """Nobody is chosen who has, for its weight, more than twice the least load and a little."""
    ready = [target(weight, calls) for weight, calls in loads]
    chosen = choose(ready, draw)
    least = min(calls / weight for weight, calls in loads)
    assert chosen.in_flight / chosen.target.weight <= 2 * least + 2


def exchange(gate: Gate, name: str, **key: Any) -> Any:
    caller = Key("k", b"", "default", "n", 0, 1, **key)
    fake = SimpleNamespace(
        key=caller, call=Call("chat.completions", name, {}), router=gate.front.router, model="", model_route=None,
        operation="chat.completions", stream=False, connection=SimpleNamespace(service=gate.service),
    )  # fmt: skip
    plan(fake)  # type: ignore[arg-type]
    return fake


def order(gate: Gate, name: str, now: float = 0.0, **key: Any) -> list[str]:
    return [each.label for each, _ in targets(exchange(gate, name, **key), now)]


@on_loop
async def test_names_resolve_for_who_may_use_them(tmp_path: Path) -> None:
    """An unknown name is 404; a known one that the key may not use is 403."""
    gate = Gate(tmp_path)
    assert order(gate, "m") == ["up/m-there"]
    with pytest.raises(ModelNotFound):
        exchange(gate, "nobody")
    with pytest.raises(Forbidden):
        exchange(gate, "m", models=("other",))
    assert order(gate, "m", models=("m",)) == ["up/m-there"]


@on_loop
async def test_every_target_is_asked_once_and_none_of_weight_0(tmp_path: Path) -> None:
    """The order is a draw; its members are all targets with a weight, each once, then those of the fallbacks."""
    one, two, off = provider("one"), provider("two"), provider("off")
    models = (
        model("m", one, two, off, weights=(3, 1, 0), fallbacks=("n", "o")),
        model("n", provider("three")),
        model("o", one),
    )
    gate = Gate(tmp_path, snapshot(*models))
    first: Counter[str] = Counter()
    for _ in range(200):
        labels = order(gate, "m")
        assert sorted(labels[:2]) == ["one/m-there", "two/m-there"]
        assert labels[2:] == ["three/n-there", "one/o-there"]
        first[labels[0]] += 1
    assert first["one/m-there"] > first["two/m-there"] > 0


@on_loop
async def test_a_target_shared_with_a_fallback_is_asked_once(tmp_path: Path) -> None:
    """A fallback that leads to the same place is no second chance."""
    shared = model("m", provider("one"), fallbacks=("n",))
    gate = Gate(tmp_path, snapshot(shared, Model("n", shared.targets)))
    assert order(gate, "m") == ["one/m-there"]


@on_loop
async def test_those_cooling_down_come_last(tmp_path: Path) -> None:
    """A target that is left alone for a while is asked after all others, fallbacks included, until its time is over."""
    one, two = provider("one"), provider("two")
    gate = Gate(tmp_path, snapshot(model("m", one, two, fallbacks=("n",)), model("n", provider("three"))))
    route = next(each for each in gate.front.router.targets.values() if each.label == "one/m-there")
    route.cooling_until = 100.0
    assert order(gate, "m", 99.0) == ["two/m-there", "three/n-there", "one/m-there"]
    assert set(order(gate, "m", 101.0)[:2]) == {"one/m-there", "two/m-there"}
    assert order(gate, "m", 101.0)[2] == "three/n-there"


@on_loop
async def test_a_fallback_the_key_may_not_use_is_skipped(tmp_path: Path) -> None:
    """A fallback is another model: policy holds for it, and a fallback that leads nowhere is passed over."""
    gate = Gate(
        tmp_path, snapshot(model("m", provider("one"), fallbacks=("n", "gone", "o")), model("n", provider("two")),
                           model("o", provider("three")))
    )  # fmt: skip
    assert order(gate, "m") == ["one/m-there", "two/n-there", "three/o-there"]
    assert order(gate, "m", models=("m", "o")) == ["one/m-there", "three/o-there"]


@on_loop
async def test_a_model_of_one_target_says_how_it_is(tmp_path: Path) -> None:
    """Targets over the network count as ready."""
    gate = Gate(tmp_path)
    route = gate.front.router.find("default", "m")
    assert isinstance(route, ModelRoute)
    assert route.status() == "ready"


@on_loop
async def test_a_target_that_has_nothing_of_the_kind_is_passed_over(tmp_path: Path) -> None:
    """Embeddings of a model whose first vendor has none come from the next one; when none has, the caller is told."""
    anthropic = Provider("claude", "anthropic", "http", "127.0.0.1", 9001, "/v1", "k")
    models = (model("m", anthropic, fallbacks=("n",)), model("n", provider("two")), model("alone", anthropic))
    gate = Gate(tmp_path, snapshot(*models))
    fake = exchange(gate, "m")
    fake.operation = "embeddings"
    assert [each.label for each, _ in targets(fake, 0.0)] == ["two/n-there"]
    body = b'{"model":"alone","input":"x"}'
    client = await gate.ask(call(body).replace(b"/v1/chat/completions", b"/v1/embeddings"))
    assert (status(client), error(client)["code"]) == (400, "unsupported_operation")
