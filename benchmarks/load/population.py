"""Requests per CPU-second with many keys and many models: 10 against 100,000 keys, 10 against 1,000 models."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.bench import Bench, cores
from benchmarks.harness.gateway import Gateway, configuration, gateline
from benchmarks.harness.nginx import Site, upstream
from benchmarks.harness.report import Result, Row
from benchmarks.harness.rounds import WHOLE, Race, Sample, counted, race, sample_gateline
from benchmarks.harness.wrk import chat_body, shoot, write_drawing_script

REACH = 0.90
_FEW, _KEYS, _MODELS = 10, 100_000, 1_000
_SPARE_KEYS = 2_000  # to revoke, one a second: none of them is drawn, or ten keys would soon be none
_ROUNDS_OF_WARM_UP = 60


def measure(bench: Bench) -> Result:
    keys = 5_000 if bench.quick else _KEYS
    where = cores()
    with upstream(bench, where.load) as up:
        by_keys, cold = _keys(bench, up, keys)
        by_models = _models(bench, up)
    rows = [_row(f"keys {_FEW} → {keys:,}", by_keys), _row(f"models {_FEW} → {_MODELS:,}", by_models)]
    costs = {
        f"{_FEW} keys": by_keys.microseconds("few", "worker"),
        f"{keys:,} keys": by_keys.microseconds("many", "worker"),
        f"{_FEW} models": by_models.microseconds("few", "worker"),
        f"{_MODELS:,} models": by_models.microseconds("many", "worker"),
    }
    note = (
        f"Keys are drawn uniformly for every request, and one further key is revoked each second. A key's first call "
        f"on a worker, which asks the control process for it, costs {cold:.0f} µs of the gateway's CPU; the figure is "
        "measured when every key has called once. A request costs the worker "
        f"{', '.join(f'{cost:.1f} µs with {who}' for who, cost in costs.items())}."
    )
    return Result("Many keys, many models", rows, [note])


def _row(figure: str, outcome: Race) -> Row:
    ratio = outcome.ratio("many", "few")
    failed = outcome.failed("many") + outcome.failed("few")
    lost = f"{(1 - ratio):.0%} lost" if ratio < 1 else "nothing lost"
    measured = f"{lost} ({outcome.per_cpu('many'):,.0f} against {outcome.per_cpu('few'):,.0f}), {failed} failed"
    return Row(f"requests per CPU-second, {figure}", "loses ≤ 10 %", measured, ratio >= REACH and not failed)


def _keys(bench: Bench, up: Site, many: int) -> tuple[Race, float]:
    """The race, and what a key's first call costs in µs of the whole gateway's CPU."""
    where = cores()
    config = configuration(up.url)
    with (
        gateline(bench, where.tested, config, keys=_FEW + _SPARE_KEYS) as few,
        gateline(bench, where.tested, config, keys=many + _SPARE_KEYS) as crowded,
    ):
        _meet(bench, few, _FEW)
        cold = _meet(bench, crowded, many)
        runners = {
            "few": _draw_keys(bench, few, _FEW),
            "many": _draw_keys(bench, crowded, many),
        }
        return race(runners, bench.rounds), cold


def _meet(bench: Bench, gateway: Gateway, count: int) -> float:
    """Each key calls once, in order; what a call costs, in µs of the whole gateway's CPU."""
    where = cores()
    folder = bench.folder("meet")
    tokens = [token for token, _ in gateway.keys[:count]]

    def load() -> tuple[float, int]:
        done = failed = 0
        for _ in range(_ROUNDS_OF_WARM_UP):
            script = _key_script(folder, tokens[done % count :], in_order=True)
            shot = shoot(gateway.url, script, max(2.0, bench.seconds), where.load, threads=1)
            done, failed = done + shot.requests, failed + shot.failed
            if done >= count:
                break
        return done - failed, failed

    return 1e6 / sample_gateline(gateway, load).per_cpu(WHOLE)


def _draw_keys(bench: Bench, gateway: Gateway, count: int) -> Callable[[], Sample]:
    where = cores()
    script = _key_script(bench.folder("draw"), [token for token, _ in gateway.keys[:count]])
    spare = iter([key.id for _, key in gateway.keys[count:]])

    def load() -> tuple[float, int]:
        with _revoking(gateway, spare):
            return counted(shoot(gateway.url, script, bench.seconds, where.load))

    return lambda: sample_gateline(gateway, load)


@contextmanager
def _revoking(gateway: Gateway, spare: Iterator[str]) -> Iterator[None]:
    """One revocation a second, while the block runs."""
    over = threading.Event()

    def revoke() -> None:
        while not over.wait(1.0):
            gateway.ask("DELETE", f"/keys/{next(spare)}")

    thread = threading.Thread(target=revoke)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _key_script(folder: Path, tokens: Sequence[str], *, in_order: bool = False) -> Path:
    body = chat_body()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "
    tail = f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    return write_drawing_script(folder, head, tokens, tail, in_order=in_order)


def _models(bench: Bench, up: Site) -> Race:
    where = cores()
    few, many = ([f"model-{number:04d}" for number in range(count)] for count in (_FEW, _MODELS))
    with (
        gateline(bench, where.tested, configuration(up.url, models=tuple(few))) as small,
        gateline(bench, where.tested, configuration(up.url, models=tuple(many))) as large,
    ):
        return race({"few": _draw_models(bench, small, few), "many": _draw_models(bench, large, many)}, bench.rounds)


def _draw_models(bench: Bench, gateway: Gateway, names: list[str]) -> Callable[[], Sample]:
    where = cores()
    body = chat_body(names[0])
    before, _, after = body.partition(names[0])
    lines = f"Authorization: Bearer {gateway.token}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n\r\n{before}"
    script = write_drawing_script(bench.folder("draw"), head, names, after)
    shoot(gateway.url, script, 1.0, where.load)
    return lambda: sample_gateline(gateway, lambda: counted(shoot(gateway.url, script, bench.seconds, where.load)))
