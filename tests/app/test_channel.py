"""The supervisor's end of what it and the control process say to each other."""

from __future__ import annotations

import json
import selectors
import socket
from collections.abc import Iterator

import pytest

from gateline.app.channel import Channel


@pytest.fixture
def selector() -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as made:
        yield made


def test_lines_are_heard_whole_however_they_come(selector: selectors.BaseSelector) -> None:
    channel = Channel(selector)
    ours, theirs = socket.socketpair()
    channel.open(ours)
    with ours, theirs:
        assert channel.hear() == []
        theirs.sendall(b'{"event": "reloaded", "eng')
        assert channel.hear() == []
        theirs.sendall(b'ines": []}\n{"event": "first_key", "token": "t"}\n')
        assert channel.hear() == [{"event": "reloaded", "engines": []}, {"event": "first_key", "token": "t"}]
        channel.tell("engines", engines={"a": 1})
        assert json.loads(theirs.recv(1_000)) == {"event": "engines", "engines": {"a": 1}}


def test_one_that_ends_is_no_longer_watched_and_nothing_is_told(selector: selectors.BaseSelector) -> None:
    channel = Channel(selector)
    ours, theirs = socket.socketpair()
    channel.open(ours)
    theirs.close()
    assert [key.data for key, _ in selector.select(0)] == ["control"]
    assert channel.hear() == []
    assert not selector.get_map()
    channel.tell("reload")


def test_a_new_one_takes_the_place_of_the_one_before(selector: selectors.BaseSelector) -> None:
    """And half a line that the old one said is forgotten."""
    channel = Channel(selector)
    (first, old), (second, new) = socket.socketpair(), socket.socketpair()
    channel.open(first)
    old.sendall(b'{"event":')
    channel.hear()
    channel.open(second)
    with old, new, second:
        assert old.recv(10) == b""
        new.sendall(b'{"event": "reloaded"}\n')
        assert channel.hear() == [{"event": "reloaded"}]
        assert [key.data for key in selector.get_map().values()] == ["control"]


def test_a_child_that_abandons_it_takes_nothing_from_the_parent(selector: selectors.BaseSelector) -> None:
    channel = Channel(selector)
    ours, theirs = socket.socketpair()
    channel.open(ours)
    with ours, theirs:
        channel.abandon()
        assert list(selector.get_map().values())
