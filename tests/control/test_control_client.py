"""What a command hears of a control process in trouble: a sentence, whatever came back."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from gateline.control.api.services import explain_failures
from gateline.control.client import Control, ControlRefused


def asked(transport: httpx.BaseTransport) -> str:
    with Control(httpx.Client(transport=transport)) as control, pytest.raises(ControlRefused) as caught:
        control.ask("GET", "/usage")
    return str(caught.value)


def test_an_answer_that_is_no_json_is_told_in_a_sentence() -> None:
    said = asked(httpx.MockTransport(lambda _: httpx.Response(500, text="Internal Server Error")))
    assert said == "the server's control process is in trouble (status 500): see the server's log"


def test_a_connection_that_breaks_is_told_in_a_sentence() -> None:
    def broken(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("gone")

    assert asked(httpx.MockTransport(broken)).startswith("the running server did not answer (ReadError): try again")


def test_a_failure_that_nobody_foresaw_is_an_answer_too() -> None:
    """Its kind and where to look; not its text, which may quote anything."""
    app = FastAPI()
    explain_failures(app)

    @app.get("/usage")
    def usage() -> None:
        raise OverflowError("canary")

    answer = TestClient(app, raise_server_exceptions=False).get("/usage")
    assert answer.status_code == 500
    message = answer.json()["error"]["message"]
    assert message == "the control process failed at this (OverflowError): see the server's log"
