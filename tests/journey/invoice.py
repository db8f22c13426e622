"""The ledger against the provider's own invoice, by id: the truth about money, as two processes tell it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from gateline.fake.invoice import Line
from tests.journey.gate import Row


def compare(rows: Sequence[Row], lines: Sequence[Line], *, killed: Collection[str] = ()) -> None:
    """Fails unless every delivery on the invoice is one attempt of one record, and the other way round; unless tokens
    are equal wherever the provider reported them; and unless whatever has no tokens is explained by a fault or an
    abort that the invoice knows too. Records of requests in `killed` died with their worker: their attempt need not
    have arrived."""
    ids = [row["id"] for row in rows]
    assert len(ids) == len(set(ids)), "a request has two records"
    delivered = {line.id: line for line in lines}
    assert len(delivered) == len(lines), "the provider served one id twice"
    claimed: set[str] = set()
    for row in rows:
        for number, attempt in enumerate(row["attempts"], 1):
            upstream_id = row["id"] if number == 1 else f"{row['id']}.{number}"
            line = delivered.get(upstream_id)
            if line is None:
                assert row["id"] in killed or not attempt["status"], f"{upstream_id} is not on the invoice: {attempt}"
                continue
            claimed.add(upstream_id)
            _check(row, attempt, line, is_killed=row["id"] in killed)
        _check_sums(row)
    strays = [line for name, line in delivered.items() if name not in claimed]
    assert not strays, f"delivered and not in the ledger: {strays[:3]}"


def _check(row: Row, attempt: dict[str, Any], line: Line, *, is_killed: bool) -> None:
    if attempt["usage_source"] == "provider":
        assert line.reported is not None, f"usage that the provider never sent: {row} {line}"
        counts = msgspec.structs.asdict(line.reported)
        del counts["tier"]  # what it was billed by is in its cost
        assert attempt["usage"] == counts, row["id"]
    elif not is_killed:
        assert attempt["error"] or row["client_gone"], f"{row['id']} has no usage and nothing to explain it"
        assert line.outcome in {"cancelled", "faulted"} or attempt["status"] >= 400 or row["client_gone"], line
    if not row["error"] and attempt is row["attempts"][-1]:
        assert (attempt["error"], line.status) == ("", 200), row


def _check_sums(row: Row) -> None:
    """A record says what its last attempt says, and unknown is written as unknown."""
    usage = row["attempts"][-1]["usage"] if row["attempts"] else None
    told = None if usage is None else tuple(usage[name] for name in ("input", "output", "cached", "reasoning"))
    names = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
    assert (told or (None,) * 4) == tuple(row[name] for name in names), row["id"]
    assert (row["usage_source"] == "none") == (usage is None), row["id"]
