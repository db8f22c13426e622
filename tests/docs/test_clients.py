"""docs/how-to/clients.md: its Python blocks run as written, but for port and key, through a gateway that they share."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateline.gateway.routes import route
from gateline.model.call import KINDS
from gateline.wire.http1 import check_request_head
from tests.journey.gate import Gate
from tests.journey.upstream import Upstream

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "clients.md").read_text()
SECONDS = 120.0
_PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
_VARIABLES = re.findall(r"^\| `([a-z-]+)`.* \| `([A-Z_]+)=(http:\S+)` \| `([A-Z_]+)` \|$", PAGE, re.MULTILINE)
_OPERATIONS = re.findall(r"^\| (`[A-Z]+ /.*) \| `([a-z_.]+)` \|$", PAGE, re.MULTILINE)
_PATHS = [(path, operation) for paths, operation in _OPERATIONS for path in re.findall(r"`([^`]+)`", paths)]
_FROM_ENVIRONMENT = {
    "openai": "import openai; print(openai.OpenAI().responses.create(model='house', input='Hello!').output_text)",
    "anthropic": "import anthropic; print(anthropic.Anthropic().messages.create("
    "model='house', max_tokens=64, messages=[{'role': 'user', 'content': 'Hello!'}]).content[0].text)",
    "google-genai": "from google import genai; client = genai.Client(); "  # a client that nothing holds closes itself
    "print(client.models.generate_content(model='house', contents='Hello!').text)",
    "cohere": "import cohere; print(cohere.ClientV2().chat("
    "model='house', messages=[{'role': 'user', 'content': 'Hello!'}]).message.content[0].text)",
    "ollama": "import ollama; "
    "print(ollama.chat(model='house', messages=[{'role': 'user', 'content': 'Hello!'}]).message.content)",
}


class House:
    """The gateway of the page, with its model at a fake provider."""

    def __init__(self, gate: Gate, upstream: Upstream, folder: Path) -> None:
        self.gate = gate
        self._upstream = upstream
        self._folder = folder

    def here(self, text: str) -> str:
        """A block of the page, for this gateway."""
        return text.replace("127.0.0.1:8080", f"127.0.0.1:{self.gate.port}").replace("sk-gl-...", self.gate.token)

    def run(self, script: str, **environment: str) -> str:
        """What the script prints, and that an answer of the provider's is in it."""
        before = len(self._upstream.lines())
        set_here = ("_API_KEY", "_AUTH_TOKEN", "_BASE_URL", "_HOST", "_API_URL")
        clean = {name: value for name, value in os.environ.items() if not name.endswith(set_here)}
        ended = subprocess.run(
            [sys.executable, "-c", script],
            cwd=self._folder,
            env={**clean, **environment},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        lines = self._upstream.lines()[before:]
        assert lines, "the provider was not asked"
        assert {(line.model, line.status, line.outcome) for line in lines} == {("claude-sonnet-5-5", 200, "finished")}
        return ended.stdout.strip()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    written = re.search(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert written is not None
    config: dict[str, Any] = yaml.safe_load(written[1])
    folder = tmp_path_factory.mktemp("clients")
    with Upstream() as upstream:
        config["providers"]["claude"] |= {"base_url": upstream.url, "api_key": "sk-of-the-provider"}
        config["server"] = {"admin_port": 0, "drain_delay": 0}
        with Gate(folder, config) as gate:
            gate.settle()
            yield House(gate, upstream, folder)


_FRAMEWORKS = ("langchain_anthropic", "langchain_openai", "llama_index", "pydantic_ai")


@pytest.mark.parametrize("block", _PYTHON, ids=lambda block: re.findall(r"(?:import|from) (\w+)", block)[0])
def test_each_client_gets_an_answer(house: House, block: str) -> None:
    """Base URL and key are all that is Gateline's in a block; each has the model answer, and prints what it said."""
    assert "127.0.0.1:8080" in block
    assert "sk-gl-..." in block
    missing = [name for name in _FRAMEWORKS if name in block and find_spec(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} cannot be installed beside the newest SDKs: `make frameworks` calls it")
    assert house.run(house.here(block))


@pytest.mark.parametrize(("sdk", "address", "url", "key"), _VARIABLES, ids=[row[0] for row in _VARIABLES])
def test_variables_are_enough(house: House, sdk: str, address: str, url: str, key: str) -> None:
    """A program that names neither address nor key finds both in the variables of the table."""
    assert house.run(_FROM_ENVIRONMENT[sdk], **{address: house.here(url), key: house.gate.token})


def test_every_sdk_of_the_table_is_tried() -> None:
    assert [row[0] for row in _VARIABLES] == list(_FROM_ENVIRONMENT)


@pytest.mark.parametrize("prefix", ["", "/openai", "/anthropic", "/gemini", "/cohere", "/ollama"])
@pytest.mark.parametrize(("path", "operation"), _PATHS, ids=[path for path, _ in _PATHS])
def test_the_paths_of_the_table_are_served(path: str, operation: str, prefix: str) -> None:
    """As what the table says and by that method, behind each prefix too; passthrough has none."""
    method, _, target = path.partition(" ")
    target = re.sub(r"\{\w+\}", "x", target)
    found = route(check_request_head(method.encode(), (prefix + target).encode(), "1.1", [(b"Host", b"a")]))
    if operation == "passthrough" and prefix:
        assert found is None
        return
    assert found is not None
    assert found.operation == operation
    assert method.encode() in found.methods


def test_no_operation_is_missing_from_the_table() -> None:
    assert KINDS.keys() <= {operation for _, operation in _PATHS}
