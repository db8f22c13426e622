from __future__ import annotations

import random

from prometheus_client.parser import text_string_to_metric_families

from gateline.control.metrics import render
from gateline.store import columns as c

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(columns: c.Columns, rows: dict[int, tuple[str, str]]) -> Samples:
    samples: Samples = {}
    for family in text_string_to_metric_families(render(columns, rows).decode()):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in samples, "a series appears once"
            samples[key] = sample.value
    return samples


def test_counters_over_workers_are_the_exact_sum() -> None:
    """Whatever each of four workers counted, every exported counter is the sum to the last unit."""
    chance = random.Random(7)
    columns = c.Columns(bytearray(c.size(4)), 4)
    rows = {3: ("gpt", "up/gpt"), 4: ("gpt", "b/gpt"), 9: ("gpt", "")}
    sent: dict[tuple[str, str, str], int] = {}
    tokens = 0
    for _ in range(5_000):
        block = columns.worker(chance.randrange(4))
        row = chance.choice(list(rows))
        status = chance.choice([200, 302, 400, 429, 499, 503])
        block[c.row_base(row) + c.status_field(status)] += 1
        spent = chance.randrange(10**9)
        block[c.row_base(row) + c.INPUT_TOKENS] += spent
        tokens += spent
        label = str(status) if status in {429, 499} else f"{status // 100}xx"
        sent[(*rows[row], label)] = sent.get((*rows[row], label), 0) + 1
    samples = scrape(columns, rows)
    for (model, target, status_label), count in sent.items():
        labels = (("model", model), ("status", status_label), ("target", target))
        assert samples["gateline_requests_total", labels] == count
    assert sum(value for (name, _), value in samples.items() if name == "gateline_requests_total") == 5_000
    assert sum(value for (name, _), value in samples.items() if name == "gateline_tokens_total") == tokens


def test_a_histogram_is_cumulative_and_complete() -> None:
    """Buckets count everything up to their bound; the last one and the count are everything there was."""
    columns = c.Columns(bytearray(c.size(2)), 2)
    base = c.row_base(0)
    for place, ns in enumerate((10_000, 60_000, 60_000, 10**15)):
        block = columns.worker(place % 2)
        block[base + c.OVERHEAD_BUCKETS + c.bucket_of(ns)] += 1
        block[base + c.OVERHEAD_SUM_NS] += ns
    samples = scrape(columns, {0: ("m", "t")})
    labels = (("model", "m"), ("target", "t"))

    def upto(bound: str) -> float:
        return samples["gateline_overhead_seconds_bucket", (("le", bound), *labels)]

    assert [upto(bound) for bound in ("1.25e-05", "5e-05", "0.0001", "+Inf")] == [1, 1, 3, 4]
    assert samples["gateline_overhead_seconds_count", labels] == 4
    assert samples["gateline_overhead_seconds_sum", labels] == (10_000 + 120_000 + 10**15) / 1e9


def test_only_configured_and_used_rows_have_series() -> None:
    """A row nobody named is not exported and one nobody used costs no series."""
    columns = c.Columns(bytearray(c.size(1)), 1)
    columns.worker(0)[c.row_base(1) + c.STATUS_2XX] = 1
    columns.worker(0)[c.row_base(2) + c.STATUS_2XX] = 1
    samples = scrape(columns, {1: ("known", "up/known"), 3: ("unused", "up/unused")})
    assert {dict(labels)["model"] for _, labels in samples if "model" in dict(labels)} == {"known"}


def test_workers_own_figures_are_exported() -> None:
    """Gauges sum, the loop lag is the worst of all, unknown callers are counted by status."""
    columns = c.Columns(bytearray(c.size(2)), 2)
    for place, block in enumerate((columns.worker(0), columns.worker(1)), start=1):
        block[c.CONNECTIONS] = 10 * place
        block[c.POOL_IDLE] = place
        block[c.LOOP_LAG_MAX_NS] = place * 1_000_000
        block[c.WORKER_RESTARTS] = place
        block[c.LIMIT_LOCK_MISSED] = 2
        block[c.unknown_caller_field(401)] += place
        block[c.unknown_caller_field(418)] += place
    samples = scrape(columns, {})
    assert samples["gateline_connections", ()] == 30
    assert samples["gateline_upstream_connections", (("state", "idle"),)] == 3
    assert samples["gateline_event_loop_lag_max_seconds", ()] == 0.002
    assert samples["gateline_worker_restarts_total", ()] == 3
    assert samples["gateline_limit_lock_missed_total", ()] == 4
    assert samples["gateline_unknown_caller_responses_total", (("status", "401"),)] == 3
    assert samples["gateline_unknown_caller_responses_total", (("status", "other"),)] == 3
