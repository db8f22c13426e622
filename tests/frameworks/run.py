"""`make frameworks`: what people build with, against a gateway before every vendor's format. Prints a line for each."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.contract.scene import ANSWERED
from tests.contract.stage import Stage, model_name, stage
from tests.contract.vendors import VENDORS

_HERE = Path(__file__).parent
_PYTHON = _HERE.parents[1] / ".venv-frameworks" / "bin" / "python"


def main() -> int:
    """The number of answers that are not what the vendor said."""
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as house:
        for vendor in VENDORS:
            wrong += _ask(house, vendor)
    return wrong


def _ask(house: Stage, vendor: str) -> int:
    text, tool = model_name(vendor, ANSWERED["text"]), model_name(vendor, ANSWERED["one tool"])
    commands = [[str(_PYTHON), str(_HERE / "ask.py"), house.origin, house.token, text, tool]]
    node = shutil.which("node")
    if node is not None and (_HERE / "node" / "node_modules").is_dir():
        commands.append([node, str(_HERE / "node" / "ask.mjs"), house.origin, house.token, text])
    wrong = 0
    for command in commands:
        house.answers.clear()
        told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if told.returncode:
            print(f"{vendor}: {told.stderr[-2000:]}", file=sys.stderr)  # noqa: T201
            return wrong + 1
        said = {answer.text for answer in house.answers if not answer.calls}
        called = [[[call.name, call.arguments] for call in answer.calls] for answer in house.answers if answer.calls]
        for name, shown in json.loads(told.stdout.splitlines()[-1]).items():
            holds = shown in called if name.endswith("tool") else shown in said
            wrong += not holds
            print(f"{'✓' if holds else '✗'} {name} at {VENDORS[vendor].title}{'' if holds else f': {shown!r}'}")  # noqa: T201
    return wrong


if __name__ == "__main__":
    sys.exit(min(main(), 1))
