"""Traces: two published formats, the same decided sends."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateline.bench.plan import Send
from gateline.bench.trace import BadTrace, load_trace


def test_azure_times_count_from_the_first_request(tmp_path: Path) -> None:
    """Seven decimals and zones are read, to the 100 nanoseconds they have."""
    path = tmp_path / "azure.csv"
    path.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:15:46.6805900,374,44\n"
        "2023-11-16 18:15:50.9951690,396,109\n"
        "2023-11-16 18:15:51+00:00,5,1\n"
    )
    assert load_trace(path) == [Send(0, 374, 44), Send(4_314_579_000, 396, 109), Send(4_319_410_000, 5, 1)]


def test_mooncake_milliseconds(tmp_path: Path) -> None:
    """JSON lines; unknown fields are passed over."""
    path = tmp_path / "mooncake.jsonl"
    path.write_text(
        '{"timestamp": 1000, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1]}\n\n'
        '{"timestamp": 1003.5, "input_length": 7, "output_length": 8, "hash_ids": []}\n'
    )
    assert load_trace(path) == [Send(0, 6758, 500), Send(3_500_000, 7, 8)]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "line 1"),
        ("a,b\n", "ContextTokens"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n", "no request"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,1\n", "line 2"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,-1,1\n", "line 2"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1\n", "line 2"),
        ('{"timestamp": 1}\n', "line 1"),
        ('{"timestamp": 1, "input_length": "x", "output_length": 1}\n', "line 1"),
    ],
)
def test_a_bad_trace_names_its_line(tmp_path: Path, text: str, part: str) -> None:
    """So that a person can mend it."""
    path = tmp_path / "trace"
    path.write_text(text)
    with pytest.raises(BadTrace, match=part):
        load_trace(path)
