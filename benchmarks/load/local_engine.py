"""The local engine through the gateway: tokens a second of 16 chats at once against one."""

from __future__ import annotations

import importlib.util
import time
from statistics import median

from benchmarks.harness.bench import Bench, FigureFailed, all_cores, cores
from benchmarks.harness.gateway import Gateway, gateline, served_models
from benchmarks.harness.generator import run_load
from benchmarks.harness.report import Result, Row

REACH = 4.0
MODEL = "local-chat"
_MANY = 16
_TOKENS = 64
_LOAD_SECONDS = 300.0  # weights may have to be fetched and exported first


def measure(bench: Bench) -> Result:
    if importlib.util.find_spec("openvino_genai") is None:
        raise FigureFailed("the local engine is not installed: pip install 'gateline[local]'")
    everything = cores(all_cores()).tested
    ratios: list[float] = []
    rates: list[tuple[float, float]] = []
    with gateline(bench, everything, None) as gateway:
        _wait_until_loaded(gateway)
        _rate(gateway, everything, 1, 1)
        for _ in range(max(1, bench.rounds // 2)):
            one, many = _rate(gateway, everything, 1, 2), _rate(gateway, everything, _MANY, 2 * _MANY)
            ratios.append(many / one)
            rates.append((one, many))
    ratio = median(ratios)
    one, many = (median(pair) for pair in zip(*rates, strict=True))
    measured = f"{ratio:.1f} x ({many:,.0f} tokens/s against {one:,.0f})"
    row = Row(f"local engine, {_MANY} chats at once against 1", f"≥ {REACH:.0f} x", measured, ratio >= REACH)
    note = f"Answers of up to {_TOKENS} tokens, tokens as the engine's usage counts them, on {all_cores()} cores."
    return Result("Local engine", [row], [note])


def _wait_until_loaded(gateway: Gateway) -> None:
    until = time.monotonic() + _LOAD_SECONDS
    while time.monotonic() < until:
        state = next((model for model in served_models(gateway) if model["id"] == MODEL), None)
        if state is None or state.get("status") == "failed":
            raise FigureFailed(f"{MODEL} cannot be loaded: {gateway.program.said()}")
        if state.get("status", "ready") == "ready":
            return
        time.sleep(0.5)
    raise FigureFailed(f"{MODEL} was not loaded within {_LOAD_SECONDS:g} s")


def _rate(gateway: Gateway, everything: tuple[int, ...], chats: int, requests: int) -> float:
    size = ("--max-tokens", str(_TOKENS), "--prompt-tokens", "32")
    options = ("--model", MODEL, "--connections", str(chats), "--requests", str(requests), *size)
    report = run_load(everything, gateway.url, gateway.token, 60.0, *options)
    if report["failed"] or not report["tokens_per_second"]:
        raise FigureFailed(f"{chats} chats at once failed: {report['errors']}")
    return float(report["tokens_per_second"])
