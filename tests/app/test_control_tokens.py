"""The control process, run whole, with a provider whose token comes from an issuer on this machine."""

from __future__ import annotations

import json
from pathlib import Path

from gateline.model.credential import credential_id
from gateline.model.feed import Granted, Publish, Rejected
from gateline.model.snapshot import decode
from gateline.model.token import Bearer, token_id
from tests.app.controlprocess import ControlProcess, running
from tests.control.tokens.issuer import Issuer, issuer

TOKEN = "ya29.canary-token"
REFRESH = "canary-refresh"


def config(at: Issuer, refresh: str = REFRESH) -> str:
    user = {
        "type": "authorized_user",
        "client_id": "c",
        "client_secret": "s",
        "refresh_token": refresh,
        "token_uri": f"{at.url}/token",
    }
    return (
        "server: {admin_port: 0}\n"
        f"providers:\n  google: {{kind: vertex, project: p, location: global, credentials: '{json.dumps(user)}'}}\n"
        "models: {gemini: {targets: [{provider: google, model: gemini-pro}]}}\n"
    )


def files(process: ControlProcess) -> bytes:
    return b"".join(path.read_bytes() for path in process.data_dir.root.rglob("*") if path.is_file())


def test_every_worker_gets_the_token_and_nothing_else_keeps_it(tmp_path: Path) -> None:
    """It lies in no file of the data directory, the log among them; what is needed to get it lies in the snapshot."""
    with (
        issuer((200, {"access_token": TOKEN, "expires_in": 3600})) as google,
        running(tmp_path, config(google)) as process,
    ):
        process.start_workers()
        for worker in process.workers:
            provider = decode(worker.hear(Publish).snapshot).models["default"]["gemini"].targets[0].provider
            assert provider.credential is not None
            granted = worker.hear(Granted)
            assert granted.credential == credential_id(provider.credential)
            assert isinstance(granted.token, Bearer)
            assert granted.token.value == TOKEN
        process.told("first_key")
        process.tell(event="stop")
        assert process.wait() == 0
        assert REFRESH.encode() in process.data_dir.snapshot.read_bytes()
        assert TOKEN.encode() not in files(process)
        assert REFRESH not in process.log()


def test_a_reload_brings_the_token_of_a_changed_credential(tmp_path: Path) -> None:
    """And of one that is refused, the reason, to workers and into the log."""
    refused = {"error": "invalid_grant", "error_description": f"{REFRESH} expired"}
    answers = (400, refused), (200, {"access_token": TOKEN, "expires_in": 3600})
    with issuer(*answers) as google, running(tmp_path, config(google)) as process:
        process.start_workers()
        worker = process.workers[0]
        granted = worker.hear(Granted)
        assert (granted.token, granted.reason) == (None, "127.0.0.1 answered 400 invalid_grant")
        process.told("first_key")
        (tmp_path / "gateline.yaml").write_text(config(google, "another"))
        process.tell(event="reload")
        provider = decode(worker.hear(Publish).snapshot).models["default"]["gemini"].targets[0].provider
        assert provider.credential is not None
        while granted.credential != credential_id(provider.credential):
            granted = worker.hear(Granted)
        assert isinstance(granted.token, Bearer)
        assert granted.token.value == TOKEN
        assert "provider google: 127.0.0.1 answered 400 invalid_grant" in process.log()
        assert REFRESH not in process.log()


def test_a_token_that_a_vendor_refused_is_fetched_anew(tmp_path: Path) -> None:
    """Long before its end, as soon as one worker says so, and for all of them."""
    answers = [(200, {"access_token": f"ya29.canary-{name}", "expires_in": 3600}) for name in ("one", "two")]
    with issuer(*answers) as google, running(tmp_path, config(google)) as process:
        process.start_workers()
        first = process.workers[0].hear(Granted)
        assert first.token is not None
        process.workers[0].say(Rejected(first.credential, token_id(first.token)))
        for worker in process.workers:
            granted = first
            while granted.token == first.token:
                granted = worker.hear(Granted)
            assert isinstance(granted.token, Bearer)
            assert granted.token.value == "ya29.canary-two"
        assert len(google.asked) == 2
        assert "token_refused" in process.log()
        assert "canary" not in process.log()
