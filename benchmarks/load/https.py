"""Requests per CPU-second over HTTPS in and out, against nginx doing the same; reconnects that resume their session."""

from __future__ import annotations

import ssl
from http.client import HTTPSConnection
from urllib.parse import urlsplit

from benchmarks.harness.bench import Bench, FigureFailed, cores
from benchmarks.harness.gateway import configuration, gateline
from benchmarks.harness.nginx import REQUESTS_A_CONNECTION, Site, proxy, upstream
from benchmarks.harness.report import Result, Row
from benchmarks.harness.rounds import Race, counted, race, sample_gateline, sample_program
from benchmarks.harness.tls import Certificate, make_certificate
from benchmarks.harness.wrk import chat_body, shoot, write_script

REACH, REACH_RESUMED = 0.40, 0.95
_RECONNECTS = 200
_WORKERS = 2  # for the reconnects: a session must resume on whichever worker takes the next connection


def measure(bench: Bench) -> Result:
    certificate = make_certificate(bench.scratch)
    outcome = _throughput(bench, certificate)
    inward, outward = _resumed(bench, certificate)
    ratio = outcome.ratio("Gateline", "nginx")
    failed = outcome.failed("Gateline") + outcome.failed("nginx")
    resumed = min(inward, outward)
    rows = [
        Row(
            "the same over HTTPS in and out, against nginx",
            f"≥ {REACH:.2f}",
            f"{ratio:.2f} whole gateway, {outcome.ratio('Gateline', 'nginx', 'worker'):.2f} its worker alone "
            f"({outcome.per_cpu('Gateline'):,.0f} against {outcome.per_cpu('nginx'):,.0f})",
            ratio >= REACH and not failed,
        ),
        Row(
            "reconnects that resume their TLS session",
            f"≥ {REACH_RESUMED:.0%}",
            f"{inward:.0%} of clients', {outward:.0%} of those to the upstream",
            resumed >= REACH_RESUMED,
        ),
    ]
    note = (
        f"{failed} failed requests. TLS 1.3, P-256, certificates verified on both sides. {_RECONNECTS} reconnects of "
        f"one client to {_WORKERS} workers; as many calls to an upstream that ends a connection after two."
    )
    return Result("HTTPS", rows, [note])


def _throughput(bench: Bench, certificate: Certificate) -> Race:
    where = cores()
    with (
        upstream(bench, where.load, tls=certificate) as up,
        proxy(bench, where.tested, up.url, tls=certificate) as nginx,
        gateline(bench, where.tested, configuration(up.url), tls=certificate) as gateway,
    ):
        script = write_script(bench.scratch, {"Authorization": f"Bearer {gateway.token}"}, chat_body())

        def load(url: str) -> tuple[float, int]:
            return counted(shoot(url, script, bench.seconds, where.load))

        for url in (nginx.url, gateway.url):
            shoot(url, script, 1.0, where.load)
        return race(
            {
                "nginx": lambda: sample_program(nginx.program.pid, lambda: load(nginx.url)),
                "Gateline": lambda: sample_gateline(gateway, lambda: load(gateway.url)),
            },
            bench.rounds,
        )


def _resumed(bench: Bench, certificate: Certificate) -> tuple[float, float]:
    """The share of resumed sessions: of a client that reconnects, and of the gateway's own connections."""
    where = cores()
    with (
        upstream(bench, where.load, tls=certificate, closes=True) as up,
        gateline(bench, where.tested, configuration(up.url), tls=certificate, workers=_WORKERS) as gateway,
    ):
        inward = _reconnect(gateway.url, gateway.token, certificate)
        return inward, _logged(up)


def _reconnect(url: str, token: str, certificate: Certificate) -> float:
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=str(certificate.chain))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    session: ssl.SSLSession | None = None
    resumed = 0
    for number in range(_RECONNECTS + 1):
        connection = _Resuming(str(parts.hostname), parts.port, context, session)
        connection.request("POST", "/v1/chat/completions", chat_body(), headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise FigureFailed(f"a call over HTTPS was answered {answer.status}")
        tls = connection.sock
        assert isinstance(tls, ssl.SSLSocket)
        resumed += bool(number and tls.session_reused)
        session = tls.session
        connection.close()
    return resumed / _RECONNECTS


class _Resuming(HTTPSConnection):
    """Offers a session at its handshake, which http.client has no argument for."""

    def __init__(self, host: str, port: int | None, context: ssl.SSLContext, session: ssl.SSLSession | None) -> None:
        super().__init__(host, port, context=context, timeout=10.0)
        self._tls = context
        self._session = session

    def connect(self) -> None:
        super(HTTPSConnection, self).connect()
        assert self.sock is not None
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host, session=self._session)


def _logged(up: Site) -> float:
    """What the upstream saw, without the first connection of each worker and its requests."""
    seen = (up.folder / "sessions.log").read_text().split()
    first = _WORKERS * REQUESTS_A_CONNECTION
    if len(seen) <= first:
        raise FigureFailed("the upstream logged no session")
    return seen.count("r") / (len(seen) - first)
