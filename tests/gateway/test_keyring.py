"""Keys of one vendor in turn: dead, busy and healthy ones, on a clock that the test turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.gateway.keyring import DEAD_SECONDS, LONGEST_BUSY, Keyring, Seat, granted_with_another
from gateline.model.errors import Unavailable, UpstreamRefused

NOW = 1_000.0


def seats(count: int) -> list[Seat]:
    return [Seat(b"Authorization: Bearer sk-%d\r\n" % number, f"sk-{number}") for number in range(count)]


def picked(ring: Keyring, now: float, times: int = 1) -> list[str | None]:
    found = [ring.pick(now) for _ in range(times)]
    return [None if seat is None else seat.secret for seat in found]


def test_keys_take_turns() -> None:
    """Each healthy key is used as often as the others, one after the other."""
    assert picked(Keyring("p", seats(3)), NOW, 7) == ["sk-0", "sk-1", "sk-2", "sk-0", "sk-1", "sk-2", "sk-0"]


@pytest.mark.parametrize(("status", "code"), [(401, None), (402, None), (429, "insufficient_quota")])
def test_a_dead_key_is_left_for_five_minutes(status: int, code: str | None) -> None:
    """A refused key, or one that is out of money whatever its status, is not used for five minutes, then again."""
    keys = seats(2)
    ring = Keyring("p", keys)
    ring.learn(keys[0], status, None, NOW, code)
    assert picked(ring, NOW + DEAD_SECONDS - 0.1, 3) == ["sk-1"] * 3
    assert set(picked(ring, NOW + DEAD_SECONDS, 2)) == {"sk-0", "sk-1"}


def test_a_key_that_died_for_one_model_is_dead_for_all() -> None:
    """Targets of a provider share what is known of its keys."""
    keys = seats(2)
    one, other = Keyring("p", keys), Keyring("p", keys)
    one.learn(keys[0], 401, None, NOW)
    assert picked(other, NOW, 2) == ["sk-1", "sk-1"]


def test_a_key_that_is_busy_for_one_model_serves_the_others() -> None:
    """Vendors count rates by model: a 429 of one target says nothing to another."""
    keys = seats(2)
    one, other = Keyring("p", keys), Keyring("p", keys)
    one.learn(keys[0], 429, 30.0, NOW)
    assert picked(one, NOW, 2) == ["sk-1", "sk-1"]
    assert picked(other, NOW, 2) == ["sk-0", "sk-1"]


def test_one_callers_forbidden_prompts_cost_no_key() -> None:
    """A 403 kills a key only when three calls in a row were granted with another, and none with it came between."""
    keys = seats(2)
    ring = Keyring("p", keys)
    for _ in range(9):
        ring.learn(keys[0], 403, None, NOW)
    for is_granted in (False, False, True, False, False):
        if is_granted:
            ring.learn(keys[0], 200, None, NOW)
        else:
            granted_with_another([keys[0]], NOW)
        assert picked(ring, NOW, 2).count("sk-0") == 1
    granted_with_another([keys[0]], NOW)
    assert picked(ring, NOW, 2) == ["sk-1", "sk-1"]


@pytest.mark.parametrize("status", [400, 404, 408, 500, 503, 529])
def test_a_broken_vendor_or_a_bad_call_says_nothing_about_a_key(status: int) -> None:
    keys = seats(2)
    ring = Keyring("p", keys)
    for _ in range(5):
        ring.learn(keys[0], status, 60.0, NOW)
    assert picked(ring, NOW, 2) == ["sk-0", "sk-1"]


@pytest.mark.parametrize(("asked", "waits"), [(None, 1.0), (7.0, 7.0), (86_400.0, LONGEST_BUSY), (-5.0, 0.0)])
def test_a_busy_key_returns_when_the_vendor_said_so(asked: float | None, waits: float) -> None:
    """Until then the others are used; a vendor cannot ask for more than a minute."""
    keys = seats(2)
    ring = Keyring("p", keys)
    ring.learn(keys[0], 429, asked, NOW)
    if waits:
        assert picked(ring, NOW + waits - 0.01, 2) == ["sk-1", "sk-1"]
    assert set(picked(ring, NOW + waits, 2)) == {"sk-0", "sk-1"}


def test_a_late_answer_shortens_no_wait() -> None:
    """Of two calls that were under way at once, the one that asks for the longer wait is believed."""
    keys = seats(2)
    ring = Keyring("p", keys)
    ring.learn(keys[0], 429, 30.0, NOW)
    ring.learn(keys[0], 429, 1.0, NOW)
    assert picked(ring, NOW + 29, 2) == ["sk-1", "sk-1"]


def test_all_busy_is_429_until_the_first_returns() -> None:
    """Dead keys beside busy ones do not make it a failure of the account."""
    keys = seats(3)
    ring = Keyring("p", keys)
    ring.learn(keys[0], 401, None, NOW)
    ring.learn(keys[1], 429, 20.0, NOW)
    ring.learn(keys[2], 429, 4.2, NOW)
    assert ring.pick(NOW) is None
    assert not ring.has_other(keys[1], NOW)
    error = ring.shortage(NOW)
    assert isinstance(error, UpstreamRefused)
    assert (error.status, error.retry_after, error.retryable) == (429, 5.0, True)


def test_all_dead_is_503_and_names_the_provider() -> None:
    """The caller learns who must act, and when we try again; no key is shown."""
    keys = seats(2)
    ring = Keyring("house", keys)
    for key in keys:
        ring.learn(key, 401, None, NOW)
    assert ring.pick(NOW + 1) is None
    error = ring.shortage(NOW + 1)
    assert isinstance(error, Unavailable)
    assert (error.status, error.retry_after, error.reason) == (503, 299.0, "upstream_keys_refused")
    assert "'house'" in str(error)
    assert "sk-" not in str(error)


def test_a_lone_key_is_never_withheld() -> None:
    """There is no other to use instead: the vendor's own refusal says more than ours; but nothing is ready either."""
    keys = seats(1)
    ring = Keyring("p", keys)
    ring.learn(keys[0], 401, None, NOW)
    assert picked(ring, NOW) == ["sk-0"]
    assert not ring.has_other(keys[0], NOW)


def test_a_seat_shows_no_key() -> None:
    assert "sk-" not in repr(seats(1)[0])


EVENTS = st.lists(
    st.tuples(
        st.floats(0, 200),  # seconds until it
        st.integers(0, 4),  # the key
        st.sampled_from([200, 401, 402, 403, 429, 500]),
        st.none() | st.floats(0, 100),
    ),
    max_size=30,
)


@given(count=st.integers(2, 5), events=EVENTS)
def test_no_cooling_key_is_picked_and_the_others_are_used_evenly(
    count: int, events: list[tuple[float, int, int, float | None]]
) -> None:
    """After any history, by a model of it kept apart: a pick is a ready key; ready keys differ by one use at most;
    none comes back only when none is ready."""
    keys = seats(count)
    ring = Keyring("p", keys)
    now = NOW
    until = dict.fromkeys(range(count), 0.0)
    refusals = dict.fromkeys(range(count), 0)
    for wait, which, status, asked in events:
        now += wait
        number = which % count
        ring.learn(keys[number], status, asked, now)
        if status == 403:
            granted_with_another([keys[number]], now)
        refusals[number] = refusals[number] + 1 if status == 403 else 0 if status == 200 else refusals[number]
        if status in {401, 402} or (status == 403 and refusals[number] >= 3):
            until[number] = max(until[number], now + 300)
        elif status == 429:
            until[number] = max(until[number], now + (1.0 if asked is None else min(asked, 60.0)))
    ready: set[str | None] = {f"sk-{number}" for number, end in until.items() if end <= now}
    found = picked(ring, now, 2 * count + 1)
    assert set(found) == (ready or {None})
    if ready:
        uses = [found.count(name) for name in ready]
        assert max(uses) - min(uses) <= 1
