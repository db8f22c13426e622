from __future__ import annotations

import itertools
import json
from collections.abc import Iterable

import pytest

from gateline.formats.call import read_call
from gateline.formats.contract import Codec
from gateline.formats.ollama.sides import STREAM_WATCH, WHOLE_WATCH
from gateline.model.errors import UpstreamBroken
from gateline.model.usage import Usage
from tests.formats.ollama.rig import AT, COUNTS, called, last, line

CALL = read_call(b'{"model":"m"}', "ollama.chat")
STREAM = line({"thinking": "hm"}) + line({"content": "grün"}) + line({"tool_calls": [called("f", {})]}) + last()
USAGE = Usage(input=11, output=7)


def codec() -> Codec:
    assert STREAM_WATCH.codec is not None
    return STREAM_WATCH.codec(CALL, "sk-secret")


def relay(stream: bytes, cuts: Iterable[int] = ()) -> tuple[bytes, Codec]:
    watched = codec()
    edges = [0, *sorted(cuts), len(stream)]
    relayed = b"".join(watched.feed(stream[begin:end]) for begin, end in itertools.pairwise(edges))
    watched.end()
    return relayed, watched


def test_every_byte_passes_wherever_the_stream_is_cut() -> None:
    """The last line is kept for the end; its counts are the usage."""
    for cuts in ([], *([cut] for cut in range(1, len(STREAM))), range(1, len(STREAM))):
        relayed, watched = relay(STREAM, cuts)
        assert relayed + watched.last == STREAM
        assert watched.last == last()
        assert (watched.done, watched.error, watched.usage) == (True, None, USAGE)


@pytest.mark.parametrize(
    ("told", "visible"),
    [
        (line(), False),
        (line({"content": "x"}), True),
        (line({"thinking": "x"}), True),
        (line({"tool_calls": [called("f", {})]}), True),
        (line({"tool_calls": []}), False),
        (json.dumps({"model": "m", "created_at": AT, "response": "x", "done": False}).encode() + b"\n", True),
        (b'{"response":"","thinking":"x","done":false}\n', True),
        (b'{"response":"","done":false}\n', False),
    ],
)
def test_a_line_is_visible_when_a_client_would_see_something(told: bytes, visible: bool) -> None:
    watched = codec()
    assert watched.feed(told) == told
    assert watched.visible == visible


def test_the_last_line_gets_the_end_it_lacks() -> None:
    relayed, watched = relay(STREAM[:-1])
    assert relayed + watched.last == STREAM
    assert watched.done


def test_a_stream_that_breaks_off_is_an_error() -> None:
    for end in range(len(STREAM) - 1):
        relayed, watched = relay(STREAM[:end])
        assert isinstance(watched.error, UpstreamBroken), end
        assert STREAM.startswith(relayed)
        assert not watched.done


def test_an_error_line_does_not_pass() -> None:
    """Nor does anything behind it; the client gets one of ours, without the secret."""
    relayed, watched = relay(line({"content": "x"}) + b'{"error":"no memory, sk-secret"}\n' + last())
    assert relayed == line({"content": "x"})
    assert watched.error is not None
    assert not isinstance(watched.error, UpstreamBroken)
    assert "no memory" in str(watched.error)
    assert "sk-secret" not in str(watched.error)
    assert watched.feed(last()) == b""
    assert json.loads(watched.fail(watched.error, "r"))["error"].endswith("(request id r)")
    _, unended = relay(line({"content": "x"}) + b'{"error":"no memory"}')
    assert "no memory" in str(unended.error)


@pytest.mark.parametrize("bad", [b"{\n", b"[1]\n", b'{"done":1}\n', b"\xff\n"])
def test_a_malformed_line_ends_the_stream(bad: bytes) -> None:
    for before in (b"", line({"content": "x"})):
        relayed, watched = relay(before + bad + last())
        assert relayed == before
        assert isinstance(watched.error, UpstreamBroken)


def test_usage_is_read_from_whole_replies_and_from_their_ends() -> None:
    """Of a big one the last bytes are enough."""
    body = line({"content": '"prompt_eval_count":9,' * 20}, done=True, prompt_eval_cached_count=2, **COUNTS)
    counted = Usage(input=11, output=7, cached=2)
    assert STREAM_WATCH.usage(body) == counted
    tail = json.dumps({"x": "y", **COUNTS, "prompt_eval_cached_count": 2}).encode()[5:]
    assert STREAM_WATCH.usage_in_tail(tail) == counted
    assert STREAM_WATCH.usage_in_tail(body[:-200]) is None
    assert STREAM_WATCH.usage(b'{"done":true}') is None
    assert STREAM_WATCH.usage(b"<html>") is None
    embedded = b'{"model":"m","embeddings":[[0.1]],"total_duration":1,"prompt_eval_count":5}'
    assert WHOLE_WATCH.usage(embedded) == WHOLE_WATCH.usage_in_tail(embedded[20:]) == Usage(input=5)


def test_an_error_that_calls_itself_a_success_is_reported() -> None:
    assert WHOLE_WATCH.reported is not None
    failed = WHOLE_WATCH.reported(b'{"error":"no model"}', "")
    assert str(failed) == "no model"
    assert WHOLE_WATCH.reported(b'{"embeddings":[]}', "") is None
