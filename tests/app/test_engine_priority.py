"""An engine's process gives way to those that answer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from gateline.store.datadir import DataDir

DEADLINE = 60.0
# Without the libraries of the extra there is nothing to load: the process is what is looked at.
ENGINE = """import sys
import importlib.util
from pathlib import Path
importlib.util.find_spec = lambda name, *rest: None
from gateline.app.engine import main
from gateline.store.datadir import DataDir
main("local-embed", DataDir(Path(sys.argv[1])))
"""


def test_an_engine_is_ten_steps_nicer_than_who_started_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process = subprocess.Popen([sys.executable, "-c", ENGINE, str(data)], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + DEADLINE
        while not DataDir(data).engine_socket("local-embed").exists():
            assert process.poll() is None, "the engine ended"
            assert time.monotonic() < until, "the engine has opened no socket"
            time.sleep(0.02)
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(ours + 10, 19)
    finally:
        process.kill()
        process.wait(DEADLINE)
