"""How many requests wait behind one, told from the bytes they take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateline.net.pipelined import Pipelined

SIZE = 10  # bytes of a request here
MOST = 32


def is_cut(waiting: int, arrivals: list[int]) -> bool:
    """Requests are taken one by one; before each but the first, so many more have come."""
    pipelined = Pipelined()
    for arrived in [0, *arrivals]:
        waiting += arrived
        if not waiting:
            continue
        pipelined.begin(waiting * SIZE)
        waiting -= 1
        if waiting and pipelined.is_full(waiting * SIZE):
            return True
        pipelined.ended(SIZE)
    return False


@given(st.integers(1, MOST), st.lists(st.integers(0, 2), max_size=300))
def test_a_client_that_never_waits_with_more_is_never_cut(first: int, arrivals: list[int]) -> None:
    """However long it goes on, what counts is how many wait at once."""
    waiting, bounded = first, []
    for arrived in arrivals:
        arrived = min(arrived, MOST - waiting + 1)  # noqa: PLW2901 - one is taken each time
        waiting = max(waiting + arrived - 1, 0)
        bounded.append(arrived)
    assert not is_cut(first, bounded)


@given(st.integers(MOST + 1, 1_000))
def test_more_than_may_wait_are_cut(waiting: int) -> None:
    """Once 32 of them have been begun, and not before."""
    assert is_cut(waiting, [0] * MOST)
    assert not is_cut(waiting, [0] * (MOST - 2))
