"""nginx, wrk and openssl: found, or installed from the system's packages where that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess

PACKAGES = {"nginx": "nginx-light", "wrk": "wrk", "openssl": "openssl", "taskset": "util-linux"}
_APT_SECONDS = 300.0


def missing_tools() -> list[str]:
    """Installs what is missing; returns, a line each, what could not be had and why."""
    absent = [tool for tool in PACKAGES if shutil.which(tool) is None]
    if not absent:
        return []
    if shutil.which("apt-get") is None:
        return [f"{tool} is not installed and there is no apt-get here: install it" for tool in absent]
    if os.geteuid() != 0:
        packages = " ".join(PACKAGES[tool] for tool in absent)
        return [f"{', '.join(absent)} not installed: run `sudo apt-get install {packages}`"]
    reason = _apt("update") or _apt("install", "-y", "--no-install-recommends", *(PACKAGES[tool] for tool in absent))
    return [f"{tool} could not be installed: {reason}" for tool in absent if shutil.which(tool) is None]


def _apt(*arguments: str) -> str:
    """Why it failed, blank when it did not."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            ["apt-get", "-q", *arguments], env=env, capture_output=True, text=True, timeout=_APT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"apt-get {arguments[0]} took over {_APT_SECONDS:g} s"
    return "" if done.returncode == 0 else (done.stderr or done.stdout).strip()[-300:]
