from __future__ import annotations

import pytest

from gateline.app import greeting
from gateline.app.greeting import Greeting
from gateline.app.launch import Launch
from gateline.store import columns
from gateline.store.columns import LAST_TICK_NS, Columns

FILES = 65_536


def launch(engines: tuple[str, ...] = (), certificate: str = "") -> Launch:
    return Launch("/data", "", "127.0.0.1", 0, 2, engines, 5.0, 600.0, certificate, certificate)


def table(*, ready: bool = False) -> Columns:
    made = Columns(bytearray(columns.size(2)), 2)
    made.worker(1)[LAST_TICK_NS] = 1 if ready else 0
    return made


def test_it_speaks_when_the_first_worker_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing before, one line then, with the address to use and where data lives; after that it is done."""
    spoken = Greeting(launch(), "127.0.0.1", 8080, "/data", FILES)
    spoken.look(table())
    assert capsys.readouterr().out == ""
    spoken.look(table(ready=True))
    line = capsys.readouterr().out
    assert line.startswith("Gateline is ready at http://127.0.0.1:8080 ")
    assert "2 workers, data in /data" in line
    assert not spoken.is_done
    spoken.look(table(ready=True))
    assert spoken.is_done
    assert capsys.readouterr().out == ""


def test_local_models_are_not_promised_without_what_they_need(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line to paste works all the same, and what is missing is named."""
    monkeypatch.setattr(greeting, "find_spec", lambda _: None)
    spoken = Greeting(launch(("local-chat",)), "127.0.0.1", 8080, "/data", FILES)
    spoken.first_key("sk-gl-first")
    spoken.look(table(ready=True))
    out = capsys.readouterr().out
    assert "curl http://127.0.0.1:8080/v1/models " in out
    assert "gateline[local]" in out
    assert "still loading" not in out


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("engines", [("local-chat",), ()])
def test_the_first_key_is_shown_once(engines: tuple[str, ...], early: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Whether the key or the first worker comes first: the key once by itself, then in a line to paste."""
    spoken = Greeting(launch(engines), "127.0.0.1", 8080, "/data", FILES)
    if early:
        spoken.first_key("sk-gl-first")
        assert capsys.readouterr().out == ""
    spoken.look(table(ready=True))
    if not early:
        spoken.look(table(ready=True))
        spoken.first_key("sk-gl-first")
    out = capsys.readouterr().out
    assert out.startswith("Gateline is ready")
    assert out.count("sk-gl-first") == 2
    assert f"curl http://127.0.0.1:8080/v1/{'chat/completions' if engines else 'models'} " in out
    spoken.look(table(ready=True))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("host", "certificate", "url"),
    [
        ("0.0.0.0", "", "http://127.0.0.1:1"),
        ("::1", "", "http://[::1]:1"),
        ("10.0.0.5", "cert.pem", "https://10.0.0.5:1"),
    ],
)
def test_the_address_can_be_pasted(host: str, certificate: str, url: str) -> None:
    """An address that stands for all is shown as one, IPv6 in brackets, TLS as https."""
    assert Greeting(launch(certificate=certificate), host, 1, "/data", FILES).url == url


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that do not come are not waited for: the supervisor has better to do than look every 10 ms."""
    now = [100.0]
    monkeypatch.setattr(greeting, "monotonic", lambda: now[0])
    spoken = Greeting(launch(), "127.0.0.1", 1, "/data", FILES)
    now[0] += 19
    spoken.look(table())
    assert not spoken.is_done
    now[0] += 2
    spoken.look(table())
    assert spoken.is_done


def test_too_few_descriptors_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    """With both figures and what to raise, once; with enough of them not a word."""
    spoken = Greeting(launch(), "127.0.0.1", 8080, "/data", 1_128)
    spoken.look(table(ready=True))
    _, warning = capsys.readouterr().out.splitlines()
    assert warning.startswith("Warning: a worker takes 500 client connections, not the 20,000 of server.connections")
    assert "1,128 files" in warning
