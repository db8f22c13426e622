"""Log lines: one JSON object each, ours and those of libraries."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import logging, structlog
from gateline.control.log import configure_logs
configure_logs("info")
structlog.get_logger().debug("hidden")
structlog.get_logger().info("shown", number=1)
logging.getLogger("some.library").info("hidden")
try:
    raise KeyError("CANARY")
except KeyError:
    logging.getLogger("some.library").exception("it broke\\nin two lines")
"""


def test_every_line_is_json_and_a_librarys_exception_is_one_of_them() -> None:
    """It names kind and place, and does not repeat what the exception held."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    ours, library = (json.loads(line) for line in done.stderr.splitlines())
    assert (ours["event"], ours["number"], ours["level"]) == ("shown", 1, "info")
    assert (library["event"], library["cause"], library["error"]) == ("library", "it broke", "KeyError")
    assert library["at"].endswith(":9")
    assert "CANARY" not in done.stderr
