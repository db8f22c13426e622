"""Fixtures of the journeys. A gateway is shared by the tests of a module where they do not disturb each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journey.upstream import Upstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running
