"""Replies that lack their end."""

from __future__ import annotations

import json

import pytest

from gateline.formats.cut import is_cut

_WHOLE = json.dumps({"a": [{"b": {}}, {"c": [1, {"d": "}"}]}], "e": {"f": None}}).encode()


@pytest.mark.parametrize("body", [_WHOLE, _WHOLE.replace(b"1", b"NaN"), _WHOLE.replace(b'"}"', b'"}\\ud83d\x01\xff"')])
def test_what_stops_behind_an_inner_brace_is_cut(body: bytes) -> None:
    """Or one in a text, wherever that is, and whatever of it a strict reader would refuse; all of it is not."""
    stops = [at for at in range(1, len(body)) if body[at - 1 : at] == b"}"]
    assert len(stops) > 3
    for at in stops:
        assert is_cut(body[:at]) is True, body[:at]
    for blank in (b"", b" \r\n"):
        assert not is_cut(body + blank)


@pytest.mark.parametrize("body", [b'{"a":b}', b"{} {}", b'{"a":%b{}%b}' % (b"[" * 9_000, b"]" * 9_000), b'{"a" 1}'])
def test_what_is_no_json_is_not_cut(body: bytes) -> None:
    """Nor what is nested too deep to be looked at: it is the client's to judge."""
    assert not is_cut(body)
