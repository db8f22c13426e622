"""Steps: what is sent, in which order, for a reply and a cue."""

from __future__ import annotations

import gzip
import zlib
from itertools import islice

import pytest

from gateline.fake.compose import Pace, compose
from gateline.fake.cue import parse_cue
from gateline.fake.reply import Close, Hang, Pause, Piece, Reply, Reset, Send, Step, Strike, whole

PACE = Pace(0, None, 0, "0")
EVENTS = [Piece(b"data: %d\n\n" % number, 1) for number in range(4)] + [Piece(b"data: [DONE]\n\n", done=True)]


def stream() -> Reply:
    return Reply(200, list(EVENTS), None, content_type="text/event-stream", stream=True)


def played(reply: Reply, cue: str, pace: Pace = PACE) -> list[Step]:
    steps = compose(reply, parse_cue(cue), pace, [], chunked=True)
    return [step for step in steps if not (isinstance(step, Pause) and not step.seconds)]


def sent(steps: list[Step]) -> bytes:
    return b"".join(step.data for step in steps if isinstance(step, Send))


def body(steps: list[Step]) -> bytes:
    return sent(steps).partition(b"\r\n\r\n")[2]


def chunks(steps: list[Step]) -> int:
    return sum(isinstance(step, Send) and step.event == "chunk" for step in steps)


@pytest.mark.parametrize("after", [0, 1, 3, 4, 99])
@pytest.mark.parametrize(("fault", "last"), [("reset", Reset()), ("stall", Hang()), ("close", Close())])
def test_a_fault_strikes_after_that_many_events(fault: str, last: Step, after: int) -> None:
    """`after` events leave whole; past the end, the fault strikes before the terminator: it always comes."""
    steps = played(stream(), f"{fault},after={after}")
    assert chunks(steps) == min(after, 4)
    assert steps[-2:] == [Strike(fault), last]
    assert b"[DONE]" not in sent(steps)


@pytest.mark.parametrize(("fault", "last"), [("reset", Reset()), ("stall", Hang()), ("close", Close())])
def test_without_after_nothing_leaves(fault: str, last: Step) -> None:
    """Before the head means not one byte."""
    assert played(stream(), fault) == [Strike(fault), last]
    assert played(whole(200, b"{}"), fault) == [Strike(fault), last]


def test_a_stall_with_seconds_goes_on() -> None:
    """`stall=S` is a pause, after which the reply is whole."""
    plain = sent(played(stream(), ""))
    assert sent(played(stream(), "stall=3,after=2")) == plain
    assert Pause(3) in played(stream(), "stall=3,after=2")
    assert sent(played(stream(), "stall=3")) == plain


def test_a_whole_body_is_cut_in_the_middle() -> None:
    """`after=1` of a body with a length is its half."""
    steps = played(whole(200, b'{"a":12345}'), "reset,after=1")
    assert body(steps) == b'{"a":'
    assert b"content-length: 11" in sent(steps)


def test_huge_bodies_have_the_size_and_the_length_they_announce() -> None:
    """N bytes of filler are added, before the usage, and counted in the length."""
    reply = whole(200, b'{"id":1,"usage":{}}')
    steps = played(reply, "huge=100000")
    assert len(body(steps)) == 100_000 + 19
    assert b"content-length: 100019" in sent(steps)
    assert body(steps).endswith(b'"usage":{}}')
    assert len(body(played(stream(), "huge=100000"))) > 100_000


def test_endless_never_ends() -> None:
    """There is always a next step."""
    for reply in (stream(), whole(200, b"{}")):
        steps = compose(reply, parse_cue("endless"), PACE, [], chunked=True)
        assert len(list(islice(steps, 5000))) == 5000


def test_gzip_codes_bodies_and_streams() -> None:
    """A body unzips to itself; a stream can be read event by event."""
    zipped = body(played(whole(200, b'{"a":1}'), "gzip"))
    assert gzip.decompress(zipped) == b'{"a":1}'
    pieces = [step.data for step in played(stream(), "gzip") if isinstance(step, Send) and step.event == "chunk"]
    inflate = zlib.decompressobj(wbits=31)
    first = pieces[0].partition(b"\r\n")[2][:-2]
    assert inflate.decompress(first) == EVENTS[0].data


def test_a_short_gzip_can_hide_a_long_body() -> None:
    """`gzip,huge=N` is a bomb: megabytes in few kilobytes."""
    assert len(body(played(whole(200, b"{}"), "gzip,huge=4000000"))) < 100_000


def test_the_announced_length_may_be_wrong_both_ways() -> None:
    """`length=N` announces N bytes more than come, or fewer."""
    assert b"content-length: 12" in sent(played(whole(200, b"{}"), "length=10"))
    assert b"content-length: 1\r" in sent(played(whole(200, b"{}"), "length=-1"))
    assert isinstance(played(whole(200, b"{}"), "length=10")[-1], Close)


def test_the_pace_is_tokens_a_second_with_seeded_jitter() -> None:
    """Each event waits for its tokens; the same seed gives the same pauses, within the jitter's bounds."""

    def pauses(seed: str) -> list[float]:
        steps = compose(stream(), parse_cue(""), Pace(1.0, 10, 0.5, seed), [], chunked=True)
        return [step.seconds for step in steps if isinstance(step, Pause) and step.seconds]

    assert pauses("a") == pauses("a") != pauses("b")
    first, *gaps = pauses("a")
    assert 0.5 <= first <= 1.5
    assert len(gaps) == 4
    assert all(0.05 <= gap <= 0.15 for gap in gaps)


def test_http_1_0_gets_no_chunks() -> None:
    """A reply of unknown length to an old client ends with the connection."""
    steps = list(compose(stream(), parse_cue(""), PACE, [], chunked=False))
    assert b"chunked" not in sent(steps)
    assert body(steps) == b"".join(piece.data for piece in EVENTS)
    assert steps[-1] == Close()


def test_a_split_piece_leaves_in_two_writes_inside_its_character() -> None:
    """What comes first is no UTF-8 by itself; pieces of ASCII stay whole."""
    train = "data: \N{STEAM LOCOMOTIVE}\n\n".encode()
    reply = Reply(200, [Piece(b"data: 1\n\n"), Piece(train, 1)], None, content_type="text/event-stream", stream=True)
    steps = list(compose(reply, parse_cue("split"), PACE, [], chunked=False))
    writes = [step.data for step in steps if isinstance(step, Send) and step.data][1:]
    assert writes == [b"data: 1\n\n", train[:7], train[7:]]
    with pytest.raises(UnicodeDecodeError):
        writes[1].decode()
    assert chunks(steps) == 2
