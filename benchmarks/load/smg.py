"""Requests per CPU-second against SMG, the fastest LLM router of the package index: Rust, round robin, no keys."""

from __future__ import annotations

from benchmarks.harness.bench import Bench
from benchmarks.harness.peers import SMG, race_against
from benchmarks.harness.report import Result, Row

REACH = 2.0


def measure(bench: Bench) -> Result:
    outcome = race_against(bench, [SMG])
    if SMG.name in outcome.refused:
        row = Row("the same against `smg` (Rust)", f"≥ {REACH:.1f}", f"not measured: {outcome.refused[SMG.name]}")
        return Result("SMG", [row])
    race = outcome.races[SMG.name]
    ratio = race.ratio("Gateline", SMG.name)
    failed = race.failed(SMG.name) + race.failed("Gateline")
    measured = (
        f"{ratio:.2f} whole gateway, {race.ratio('Gateline', SMG.name, 'worker'):.2f} its worker alone "
        f"({race.per_cpu('Gateline'):,.0f} against {race.per_cpu(SMG.name):,.0f})"
    )
    row = Row("the same against `smg` (Rust)", f"≥ {REACH:.1f}", measured, ratio >= REACH)
    notes = [f"smg {outcome.versions[SMG.name]}; {failed} failed requests of both."]
    return Result("SMG", [row], notes, {SMG.name: race.per_cpu(SMG.name)})
