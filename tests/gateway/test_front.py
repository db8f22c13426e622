"""What needs no caller: probes, wrong methods, unknown paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.rig import Gate, error, get, status
from tests.net.transport import on_loop

GETS = b"allow: GET, HEAD, OPTIONS\r\n"
POSTS = b"allow: POST, OPTIONS\r\n"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/livez", GETS),
        ("DELETE", "/readyz", GETS),
        ("POST", "/v1/models", GETS),
        ("DELETE", "/v1/models/m", GETS),
        ("GET", "/v1/chat/completions", POSTS),
        ("HEAD", "/v1/embeddings", POSTS),
    ],
)
@on_loop
async def test_a_wrong_method_is_405_and_says_which_are_right(
    method: str, path: str, allow: bytes, tmp_path: Path
) -> None:
    """HEAD is among them wherever GET is; an answer to HEAD has no body."""
    gate = Gate(tmp_path)
    client = await gate.ask(get(path, method=method))
    head, _, body = client.out.partition(b"\r\n\r\n")
    assert status(client) == 405
    assert allow in head + b"\r\n"
    if method == "HEAD":
        assert body == b""
    else:
        listed = allow.partition(b" ")[2].partition(b", OPTIONS")[0].decode()
        assert error(client)["message"].startswith(f"This path takes {listed}, not {method}.")
    assert gate.notices == [("request_refused", 405, "method_not_allowed")]
    assert gate.about == [f"{method} {path}"]


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
@on_loop
async def test_head_is_answered_as_get_is(path: str, tmp_path: Path) -> None:
    """While the gateway drains it lives on and is not ready."""
    gate = Gate(tmp_path)
    whole = await gate.ask(get(path))
    head = await gate.ask(get(path, method="HEAD"))
    assert status(whole) == status(head) == 200
    assert whole.out.endswith(b"ok\n" if path == "/livez" else b"ready\n")
    assert head.out.endswith(b"\r\n\r\n")
    gate.front.ready = False
    assert status(await gate.ask(get(path))) == (200 if path == "/livez" else 503)


@on_loop
async def test_an_unknown_path_is_404(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    client = await gate.ask(get("/v1/nothing"))
    assert (status(client), b"allow:" in client.out) == (404, False)
    assert error(client)["message"].startswith("No such path: /v1/nothing.")
