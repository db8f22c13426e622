"""The configuration as this worker runs it: each target with its connections, its ready-made request head, its load.

Made from a snapshot between requests. Pools and engine links are kept from one configuration to the next where their
provider has not changed, so a reload costs no connection.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from gateline.formats.openai.models import Status
from gateline.gateway.authority import NOBODY, Authority, seats_of
from gateline.gateway.hop import Hop, make_hop
from gateline.gateway.keyring import Keyring, Seat
from gateline.gateway.tally import Tallies, Tally
from gateline.gateway.tokens import TokenTable
from gateline.model.call import Operation
from gateline.model.credential import Aws
from gateline.model.snapshot import DEFAULT_TENANT, Model, Provider, Snapshot, Target
from gateline.net.clock import Clock
from gateline.net.connect import Connector
from gateline.net.egress import EgressPolicy
from gateline.net.enginelink import EngineLink
from gateline.net.pool import OriginPool
from gateline.providers.configured import row_of
from gateline.providers.head import host_of
from gateline.providers.row import Row
from gateline.providers.table import TABLE
from gateline.store.columns import IN_FLIGHT, row_base


class _Hops(dict[tuple[str, bool], Hop | None]):
    """How calls get to one target, by operation and whether they want a stream; None for those that cannot: the vendor
    has nothing of their kind, or what it has cannot be translated into. Made at first sight: few are ever asked for."""

    __slots__ = ("_model", "_provider", "_row")

    def __init__(self, provider: Provider, row: Row, model: str) -> None:
        super().__init__()
        self._provider = provider
        self._row = row
        self._model = model

    def __missing__(self, way: tuple[str, bool]) -> Hop | None:
        operation, stream = way
        hop = make_hop(self._provider, self._row, self._model, cast("Operation", operation), stream=stream)
        self[way] = hop
        return hop


class TargetRoute:
    """One target. `in_flight` counts this worker's calls on it; until `cooling_until` (monotonic seconds) others are
    asked first. `hops` say how a call gets there."""

    __slots__ = (
        "authority", "cooling_until", "engine", "failures", "hops", "in_flight", "label", "pool", "provider", "row",
        "shown", "tally", "target",
    )  # fmt: skip

    def __init__(
        self, target: Target, tally: Tally, pool: OriginPool | None, engine: EngineLink | None, authority: Authority
    ) -> None:
        provider = target.provider
        self.target = target
        self.provider = provider
        self.label = target.label
        self.tally = tally
        self.pool = pool
        self.engine = engine
        self.in_flight = 0
        self.shown = 0  # what this target's part of its row's gauge says of `in_flight`
        self.failures = 0
        self.cooling_until = 0.0
        self.row = row_of(provider)
        self.authority = authority
        self.hops = _Hops(provider, self.row, target.model)

    def show(self, cells: memoryview[int]) -> None:
        """Adds what has changed to the gauge: one row may have two targets, an old one whose calls still run too."""
        cells[row_base(self.target.row) + IN_FLIGHT] += self.in_flight - self.shown
        self.shown = self.in_flight


_NO_ROW = 0  # the row of calls that name no model

Targets = dict[Target, TargetRoute]


class ModelRoute:
    """A public name: its targets here, and the names to fall back to. `only`: its one target, where that is all."""

    __slots__ = ("model", "only", "tally", "targets")

    def __init__(self, model: Model, tally: Tally, targets: list[TargetRoute]) -> None:
        self.model = model
        self.targets = targets
        self.only = targets[0] if len(targets) == 1 and not model.fallbacks else None
        self.tally = tally

    def status(self) -> Status:
        """ "ready" when one of its targets can answer now, else the state of its engine."""
        states = {target.engine.state.state if target.engine else "ready" for target in self.targets}
        return "ready" if "ready" in states else "loading" if "loading" in states else "failed"


class Router:
    """All routes of one snapshot. `find` is the only way from a name to a model: always within a tenant. A tenant that
    has no models of its own has those of the configuration file, which knows no tenants."""

    def __init__(
        self,
        snapshot: Snapshot,
        tenants: dict[str, dict[str, ModelRoute]],
        targets: Targets,
        leaving: list[TargetRoute],
        open_targets: dict[str, TargetRoute],
    ) -> None:
        self.open = open_targets  # by provider: those whose whole API may be asked for
        self.snapshot = snapshot
        self.targets = targets
        self.leaving = leaving  # of configurations before this one, with calls that still run
        self._tenants = tenants
        self._shared = tenants.get(DEFAULT_TENANT, {})

    def find(self, tenant: str, name: str) -> ModelRoute | None:
        return self._tenants.get(tenant, self._shared).get(name)

    def models(self, tenant: str) -> dict[str, ModelRoute]:
        return self._tenants.get(tenant, self._shared)

    def show_in_flight(self, cells: memoryview[int]) -> None:
        """Brings the gauges of calls in flight up to date: of a thousand targets few have moved since the last tick."""
        for route in self.targets.values():
            if route.in_flight != route.shown:
                route.show(cells)
        if self.leaving:
            for route in self.leaving:
                route.show(cells)
            self.leaving = [route for route in self.leaving if route.in_flight]


class Upstreams:
    """The pools and engine links of a worker, by provider and by name, and the routers made over them."""

    def __init__(
        self,
        connector: Connector,
        clock: Clock,
        tallies: Tallies,
        engine_socket: Callable[[str], Path],
        tokens: TokenTable,
    ) -> None:
        self._tokens = tokens
        self._seats: dict[Provider, list[Seat]] = {}
        self._tallies = tallies
        self._connector = connector
        self._clock = clock
        self._engine_socket = engine_socket
        self.pools: dict[Provider, OriginPool] = {}
        self.engines: dict[str, EngineLink] = {}
        self._engines_in_use: set[str] = set()
        self._next_sweep = 0.0
        clock.every_tick(self._sweep)

    def build(self, snapshot: Snapshot, before: Router | None) -> Router:
        """Routes for `snapshot`. What targets of `before` have learned (load, cool-down) goes on with them.

        Raises ValueError when the snapshot holds what no compiler of this version writes."""
        egress = EgressPolicy(snapshot.egress_allow)
        known = before.targets if before is not None else {}
        targets: dict[Target, TargetRoute] = {}
        tenants = {
            tenant: {name: self._model(model, known, targets) for name, model in models.items()}
            for tenant, models in snapshot.models.items()
        }
        open_targets: dict[str, TargetRoute] = {}
        for provider in snapshot.open_providers:
            target = Target(provider, "*", 1, _NO_ROW)
            route = targets[target] = known.get(target) or self._target(target)
            open_targets[provider.name] = route
        old = [*known.values(), *before.leaving] if before is not None else []
        gone = [route for route in old if targets.get(route.target) is not route]
        leaving = [route for route in gone if route.in_flight or route.shown]
        router = Router(snapshot, tenants, targets, leaving, open_targets)
        self._connector.egress = egress
        self._retire({target.provider for target in targets})
        return router

    def _model(self, model: Model, known: Targets, targets: Targets) -> ModelRoute:
        routes: list[TargetRoute] = []
        for target in model.targets:
            route = targets.get(target)
            if route is None:
                route = targets[target] = known.get(target) or self._target(target)
            routes.append(route)
        return ModelRoute(model, self._tallies.row(model.row), routes)

    def _target(self, target: Target) -> TargetRoute:
        provider = target.provider
        if provider.kind not in TABLE:
            raise ValueError(f"the provider {provider.name!r} is of a kind unknown here: {provider.kind!r}")
        tally = self._tallies.row(target.row)
        if provider.engine:
            name = provider.engine
            engine = self.engines.get(name)
            if engine is None:
                engine = self.engines[name] = EngineLink(name, self._engine_socket(name))
                engine.start()
            return TargetRoute(target, tally, None, engine, NOBODY)
        pool = self.pools.get(provider)
        if pool is None:
            pool = self.pools[provider] = OriginPool(provider, self._connector, self._clock)
            if provider.scheme == "https":
                self._connector.prepare(provider)
        return TargetRoute(target, tally, pool, None, self._authority(provider))

    def _authority(self, provider: Provider) -> Authority:
        """Raises ValueError when a key could not be a header value."""
        if provider.credential is not None:
            credential = provider.credential
            region = credential.region if isinstance(credential, Aws) else ""
            return Authority(self._tokens.of(credential), host=host_of(provider), region=region)
        seats = self._seats.get(provider)
        if seats is None:
            seats = self._seats[provider] = seats_of(provider, TABLE[provider.kind].auth)
        return Authority(Keyring(provider.name, seats)) if seats else NOBODY

    def _retire(self, used: set[Provider]) -> None:
        for provider in [provider for provider in self.pools if provider not in used]:
            self.pools.pop(provider).close()
        self._seats = {provider: seats for provider, seats in self._seats.items() if provider in used}
        self._engines_in_use = {provider.engine for provider in used}

    def _sweep(self, now: float) -> None:
        if now >= self._next_sweep:
            self._next_sweep = now + 1.0
            for pool in self.pools.values():
                pool.sweep(now)
            self._sweep_engines()

    def _sweep_engines(self) -> None:
        """An engine that has left the configuration is let go of when its last call has ended."""
        for name in [name for name in self.engines if name not in self._engines_in_use]:
            if not self.engines[name].open:
                self.engines.pop(name).close()

    def close(self) -> None:
        self._retire(set())
        for engine in self.engines.values():
            engine.close()
