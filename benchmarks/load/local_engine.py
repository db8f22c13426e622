"""The local engine through the gateway: tokens a second of 16 chats at once against one."""

from __future__ import annotations

import importlib.util
import time
from statistics import median

from benchmarks.harness.bench import Bench, FigureFailed, all_cores, cores
from benchmarks.harness.chats import ANSWER_TOKENS, chat_rate
from benchmarks.harness.gateway import Gateway, gateline, served_models
from benchmarks.harness.report import Result, Row

REACH = 4.0
MODEL = "local-chat"
_MANY = 16
_LOAD_SECONDS = 300.0  # weights may have to be fetched and exported first


def measure(bench: Bench) -> Result:
    if importlib.util.find_spec("openvino_genai") is None:
        raise FigureFailed("the local engine is not installed: pip install 'gateline[local]'")
    seconds = 5.0 if bench.quick else 20.0
    one: list[float] = []
    many: list[float] = []
    with gateline(bench, cores(all_cores()).tested, None) as gateway:
        _wait_until_loaded(gateway)
        for _ in range(bench.rounds):
            one.append(_rate(gateway, 1, seconds))
            before, began = gateway.cpu(), time.monotonic()
            many.append(_rate(gateway, _MANY, seconds))
            taken = time.monotonic() - began
            busy = {kind: (spent - before[kind]) / taken for kind, spent in gateway.cpu().items()}
    return _result(one, many, busy, seconds)


def _rate(gateway: Gateway, chats: int, seconds: float) -> float:
    return chat_rate(gateway.url, gateway.token, MODEL, chats, seconds)


def _result(one: list[float], many: list[float], busy: dict[str, float], seconds: float) -> Result:
    ratio = median(several / single for single, several in zip(one, many, strict=True))
    measured = f"{ratio:.1f} x ({median(many):,.0f} tokens/s against {median(one):,.0f})"
    row = Row(f"local engine, {_MANY} chats at once against 1", f"≥ {REACH:.0f} x", measured, ratio >= REACH)
    shares = ", ".join(f"{kind} {share:.2f}" for kind, share in busy.items() if share >= 0.005)
    note = (
        f"Streamed answers of up to {ANSWER_TOKENS} tokens to questions that are all new (nothing of a prompt is in "
        f"the engine's cache), one chat after the other on each of the {_MANY} seats or the one; tokens that arrive in "
        f"{seconds:g} s while every seat has a chat open, reading of prompts included; {len(one)} interleaved rounds "
        f"on {all_cores()} cores. Cores used by the last {_MANY} chats: {shares}."
    )
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
