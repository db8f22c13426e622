"""Requests per CPU-second of gateways that others use, under the same load: printed, nothing to be reached."""

from __future__ import annotations

from benchmarks.harness.bench import Bench
from benchmarks.harness.peers import FERROGW, LITELLM, PORTKEY, race_against
from benchmarks.harness.report import Result, Row


def measure(bench: Bench) -> Result:
    peers = [FERROGW, PORTKEY, LITELLM]
    outcome = race_against(bench, peers)
    rows: list[Row] = []
    notes: list[str] = []
    bars: dict[str, float] = {}
    for peer in peers:
        figure = f"against `{peer.name}` ({peer.language})"
        if peer.name in outcome.refused:
            rows.append(Row(figure, "printed", f"not measured: {outcome.refused[peer.name]}"))
            continue
        race = outcome.races[peer.name]
        rate = race.per_cpu(peer.name)
        rows.append(
            Row(
                figure,
                "printed",
                f"{race.ratio('Gateline', peer.name):,.1f} times ({race.per_cpu('Gateline'):,.0f} against {rate:,.0f})",
            )
        )
        notes.append(f"- {peer.name}: {outcome.versions[peer.name]}, {race.failed(peer.name)} failed requests")
        bars[peer.name] = rate
    return Result("Peers", rows, notes, bars)
