"""The end of a run: one object with everything, for `--json`, and the tables a person reads."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gateline.bench.duel import SIDES
from gateline.bench.machine import describe_machine
from gateline.bench.plan import Plan
from gateline.bench.tally import QUANTILES, Spread, Tally

_LABELS = {
    "latency": "latency",
    "first": "time to first token",
    "gap": "between tokens",
    "age": "age of an event",
    "late": "sent late by",
    "through": "through",
    "straight": "straight",
}


def make_report(plan: Plan, tally: Tally, seconds: float) -> dict[str, object]:
    """Milliseconds, bytes and counts; rates are per second of the run. Holds no key."""
    cpu = tally.cpu_ns / 1e9
    report: dict[str, object] = {
        "url": plan.url,
        "model": plan.model,
        "kind": plan.kind,
        "loop": "duel" if plan.against else "closed" if plan.rate is None and plan.trace is None else "scheduled",
        "connections": plan.connections,
        "rate_asked": plan.rate,
        "seconds": round(seconds, 3),
        "requests": tally.done,
        "requests_per_second": round(tally.done / seconds, 1),
        "failed": tally.failed,
        "errors": dict(tally.errors),
        "statuses": {str(status): count for status, count in sorted(tally.statuses.items())},
        "tokens": tally.tokens or None,
        "tokens_per_second": round(tally.tokens / seconds, 1) if tally.tokens else None,
        "events": tally.events,
        "events_per_second": round(tally.events / seconds, 1),
        "bytes_sent": tally.bytes_out,
        "body_bytes_received": tally.bytes_in,
        "milliseconds": {name: spread.summary() for name, spread in tally.spreads.items() if spread.count},
        "generator": {
            "cpu_seconds": round(cpu, 3),
            "requests_per_cpu_second": round(tally.done / cpu) if cpu else None,
        },
        "machine": describe_machine(),
    }
    if plan.against is not None:
        report["against"] = plan.against
        report["added_milliseconds"] = added(tally)
    return report


def added(tally: Tally) -> dict[str, float]:
    """Through minus straight, percentile by percentile."""
    through, straight = (tally.spread(side) for side in SIDES)
    return {f"p{quantile:g}": round(through.at(quantile) - straight.at(quantile), 4) for quantile in QUANTILES}


def tables(plan: Plan, tally: Tally, seconds: float) -> Group:
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    facts.add_row("requests", f"{tally.done:,} in {seconds:.1f} s, {tally.done / seconds:,.0f} a second")
    facts.add_row("errors", _errors(tally))
    if tally.tokens:
        facts.add_row("tokens", f"{tally.tokens:,}, {tally.tokens / seconds:,.0f} a second")
    if tally.events:
        facts.add_row("events", f"{tally.events:,}, {tally.events / seconds:,.0f} a second")
    facts.add_row("bytes", f"{tally.bytes_out:,} sent, {tally.bytes_in:,} received in bodies")
    if tally.cpu_ns:
        facts.add_row("generator", f"{tally.done / (tally.cpu_ns / 1e9):,.0f} requests per CPU-second of its own")
    parts: list[Table | Text] = [
        facts,
        Text(),
        _times(tally, scheduled=plan.rate is not None or plan.trace is not None),
    ]
    if plan.against is not None:
        differences = ", ".join(f"{name} {value * 1000:,.0f} µs" for name, value in added(tally).items())
        parts += [Text(), Text(f"added: {differences}", style="bold")]
    return Group(*parts)


def _times(tally: Tally, *, scheduled: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("ms", *(f"p{quantile:g}" for quantile in QUANTILES), "max"):
        table.add_column(title, justify="left" if title == "ms" else "right")
    for name, label in _LABELS.items():
        spread = tally.spreads.get(name)
        if spread is not None and spread.count and (name != "late" or scheduled):
            table.add_row(label, *_cells(spread))
    return table


def _cells(spread: Spread) -> list[str]:
    return [f"{value:,.3f}" for value in (*(spread.at(quantile) for quantile in QUANTILES), spread.most())]


def _errors(tally: Tally) -> Text:
    if not tally.errors:
        return Text("0", style="green")
    kinds = ", ".join(f"{kind}: {count:,}" for kind, count in tally.errors.most_common())
    return Text(f"{tally.failed:,} ({kinds})", style="red")
