from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from gateline.net.room import room


@pytest.mark.parametrize(
    ("configured", "files", "connections"),
    [(20_000, 65_536, 20_000), (20_000, 20_000, 9_936), (50, 65_536, 50), (20_000, 300, 86), (20_000, 64, 1)],
)
def test_each_connection_may_need_one_to_an_upstream(configured: int, files: int, connections: int) -> None:
    """Half of the descriptors beside the reserve, never more than configured, never none."""
    assert room(configured, files) == connections


def test_the_soft_limit_is_raised_as_far_as_the_hard_one_lets_it() -> None:
    """And a process that may not raise it says what it has."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    allowed = 700 if hard == resource.RLIM_INFINITY else min(700, hard)
    code = (
        "import resource; from gateline.net.room import raise_file_limit;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, (300, {allowed}));"
        "print(raise_file_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(allowed)] * 2
