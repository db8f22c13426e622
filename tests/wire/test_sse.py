from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateline.model.errors import UpstreamBroken
from gateline.wire.bound import MAX_EVENT
from gateline.wire.sse import EventSplitter, event_data, event_name, plain_data, write_event

LINES = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b"data",
        b": c",
        b"event: x",
        b"id: 1",
        b"",
        b"data: \xe2\x82\xac",
        b"data:  d",
        b"retry: 1",
    ]
)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"])), max_size=12).map(
    lambda lines: b"".join(line + end for line, end in lines)
)
USUAL = b'data: {"a":"\xe2\x82\xac"}\n\n: ping\n\nevent: x\ndata: 1\ndata: 2\n\ndata: [DONE]\n\n'


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    splitter = EventSplitter()
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    events: list[bytes] = []
    for start, end in itertools.pairwise(edges):
        events += splitter.feed(stream[start:end])
    return [*events, splitter.rest()]


def dispatched(stream: bytes) -> list[tuple[bytes, bytes]]:
    """What a reader that follows the standard's own algorithm (WHATWG HTML 9.2.6) makes of whole events."""
    found: list[tuple[bytes, bytes]] = []
    data: list[bytes] = []
    name = b""
    for line in stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")[:-1]:
        if line:
            key, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if key == b"data":
                data.append(value)
            elif key == b"event":
                name = value
        else:
            if data:
                found.append((name, b"\n".join(data)))
            data, name = [], b""
    return found


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_cut_gives_the_same_events(end: bytes) -> None:
    """A stream cut at any offset, or at all of them, splits as it does whole; all its bytes come out."""
    stream = USUAL.replace(b"\n", end)
    whole = split(stream, [])
    assert b"".join(whole) == stream
    assert len(whole) == 5
    for cut in range(len(stream)):
        assert split(stream, [cut]) == whole
    assert split(stream, list(range(len(stream)))) == whole


@given(STREAMS, st.lists(st.integers(0, 150), max_size=10))
@example(stream=b"data: a\r\r\ndata: b\n\n", cuts=[9])
@example(stream=b"data: a\n\r\ndata: b\n\n", cuts=[9])
@example(stream=b"a\n\n\n", cuts=[3])
def test_any_line_ends_and_cuts_give_the_same_events(stream: bytes, cuts: list[int]) -> None:
    """Mixed line ends split the same however they are cut, and hold what the standard's algorithm dispatches."""
    whole = split(stream, [])
    assert split(stream, cuts) == whole
    events = [(event_name(event), data) for event in whole[:-1] if (data := event_data(event)) is not None]
    expected = dispatched(stream)
    # An "\n\r" at the very end waits for its "\n": only the last event may still be on its way.
    assert events == expected or (events == expected[:-1] and stream.endswith(b"\n\r"))


def test_an_event_passes_with_its_last_byte() -> None:
    """No event waits for a byte of the next one, with LF, CRLF or CR line ends."""
    for end in (b"\n", b"\r\n", b"\r"):
        splitter = EventSplitter()
        event = b"data: a" + end + end
        assert splitter.feed(event[:-1]) == []
        assert splitter.feed(event[-1:]) == [event]
        assert splitter.rest() == b""


def test_several_whole_events_in_one_read() -> None:
    """The quick way for whole LF events gives what the careful way gives."""
    quick, careful = EventSplitter(), EventSplitter()
    assert quick.feed(USUAL) == careful.feed(USUAL[:3]) + careful.feed(USUAL[3:])


@pytest.mark.parametrize("size", [65536, 4 * MAX_EVENT])
def test_an_event_is_bounded(size: int) -> None:
    """An event over 16 MiB is a broken upstream, whole or in pieces; one just below passes."""
    big = b"data: " + b"x" * MAX_EVENT + b"\n\n"
    with pytest.raises(UpstreamBroken):
        split(big, list(range(size, len(big), size)))
    fits = b"data: " + b"x" * (MAX_EVENT - 8) + b"\n\n"
    assert EventSplitter().feed(fits) == [fits]


@pytest.mark.parametrize(
    ("event", "data", "name"),
    [
        (b"data: a\n\n", b"a", b""),
        (b"data:a\r\n\r\n", b"a", b""),
        (b"data: a\rdata:  b\r\r", b"a\n b", b""),
        (b"data\n\n", b"", b""),
        (b": c\n\n", None, b""),
        (b"event: error\n\n", None, b"error"),
        (b"event: a\nevent:error\ndata: x\n\n", b"x", b"error"),
        (b"data: x\nevent: error\n\n", b"x", b"error"),
        (b"data: x\revent: error\r\r", b"x", b"error"),
        (b"\xef\xbb\xbfdata: a\n\n", b"a", b""),
        (b"\n\ndata: a\n\n", b"a", b""),
        (b"datax: a\n\n", None, b""),
    ],
)
def test_fields_are_read(event: bytes, data: bytes | None, name: bytes) -> None:
    """Data and name are read as the standard says."""
    assert (event_data(event), event_name(event)) == (data, name)
    assert plain_data(event) in (None, data)


@given(st.binary(max_size=60).map(lambda raw: raw.replace(b"\0", b"")), st.sampled_from([None, b"error", b""]))
def test_written_events_read_back(data: bytes, event: bytes | None) -> None:
    """Any data is written as exactly one event and read back, its line ends as LF."""
    raw = write_event(data, event)
    assert EventSplitter().feed(raw) == [raw]
    assert event_data(raw) == data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert event_name(raw) == (event or b"")


@pytest.mark.parametrize("name", [b"a\ndata: x", b"a\r"])
def test_an_event_name_cannot_write_lines(name: bytes) -> None:
    """A line end in a name raises."""
    with pytest.raises(ValueError, match="line end"):
        write_event(b"x", name)
