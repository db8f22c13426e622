"""Waiting for a condition, with an end: what a journey uses in place of sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE = 30.0  # seconds: a condition that has not come by then will not come
_LOOK_AGAIN = 0.01


def until(look: Callable[[], T], what: str, *, within: float = DEADLINE) -> T:
    """The first true value of `look`. Fails, saying `what` did not come and what was there instead."""
    give_up = time.monotonic() + within
    while not (found := look()):
        if time.monotonic() > give_up:
            raise AssertionError(f"{what}: not within {within:g} s; last seen: {found!r}")
        time.sleep(_LOOK_AGAIN)
    return found


async def until_async(look: Callable[[], T], what: str, *, within: float = DEADLINE) -> T:
    """The same on a loop that has other things to do meanwhile."""
    give_up = time.monotonic() + within
    while not (found := look()):
        if time.monotonic() > give_up:
            raise AssertionError(f"{what}: not within {within:g} s; last seen: {found!r}")
        await asyncio.sleep(_LOOK_AGAIN)
    return found
