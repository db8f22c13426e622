"""Fixtures of the journeys: real processes, real sockets, one gateway a module where tests do not disturb each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journey.upstream import Upstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running
