"""TLS contexts against OpenSSL's own other end, in memory and over real sockets."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from gateline.net import tls
from gateline.net.tls import ResumingContext, client_context, reload_certificate, server_context
from tests.net.certificates import certificate
from tests.net.transport import on_loop

Pair = tuple[ssl.SSLObject, ssl.SSLObject]


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Pair:
    """Both ends of a connection that was made in memory and has carried a byte each way."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname="127.0.0.1", session=session)
    waiting = [theirs, ours]
    while waiting:
        end = waiting.pop(0)
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(end)
    ours.write(b"a")
    assert theirs.read(1) == b"a"  # with it come the session tickets of TLS 1.3
    theirs.write(b"b")
    assert ours.read(1) == b"b"
    return ours, theirs


def plain_client() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate().file)


def test_a_server_context_speaks_modern_tls_and_http_1_1() -> None:
    """TLS 1.2 and later, and http/1.1 by ALPN."""
    client = plain_client()
    client.set_alpn_protocols(["h2", "http/1.1"])
    ours, theirs = handshake(server_context(*certificate()), client)
    assert ours.version() == "TLSv1.3"
    assert theirs.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_reload_keeps_tickets_and_connections(version: ssl.TLSVersion) -> None:
    """After a reload new handshakes show the new certificate, tickets of before are taken, open connections go on."""
    server = server_context(*certificate())
    client = plain_client()
    client.load_verify_locations(certificate("two").file)
    client.maximum_version = version
    ours, theirs = handshake(server, client)
    session = theirs.session
    reload_certificate(server, *certificate("two"))
    ours.write(b"still here")
    assert theirs.read(100) == b"still here"
    _, fresh = handshake(server, client)
    assert fresh.getpeercert() != theirs.getpeercert()
    _, resumed = handshake(server, client, session)
    assert resumed.session_reused


def test_a_bad_certificate_changes_nothing(tmp_path: Path) -> None:
    """Files that are missing, broken, do not belong together or want a password are refused, and the old ones serve."""
    server = server_context(*certificate())
    broken = tmp_path / "broken.pem"
    broken.write_text("not a certificate")
    locked = tmp_path / "locked.pem"
    command = ["openssl", "pkey", "-in", certificate().key, "-out", str(locked), "-aes256", "-passout", "pass:secret"]
    subprocess.run(command, check=True, capture_output=True)
    for file, key in (
        (str(broken), certificate().key),
        (certificate().file, str(tmp_path / "absent.pem")),
        (certificate("two").file, certificate().key),
        (certificate().file, str(locked)),
    ):
        with pytest.raises(OSError):  # noqa: PT011 - SSLError is one, and each platform words it in its own way
            reload_certificate(server, file, key)
    _, theirs = handshake(server, plain_client())
    assert theirs.getpeercert()


def test_forked_workers_take_each_others_tickets() -> None:
    """A ticket that one forked worker gave is taken by another: they inherited the keys of one context."""
    server = server_context(*certificate())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = plain_client()
        workers = [fork_server(listener, server) for _ in range(2)]
        sessions: list[ssl.SSLSession | None] = []
        reused: list[bool] = []
        spoke: list[bytes] = []
        for _ in workers:  # each serves one connection and ends, so the second is another process
            with socket.create_connection(listener.getsockname(), timeout=30) as sock:
                session = sessions[-1] if sessions else None
                with client.wrap_socket(sock, server_hostname="127.0.0.1", session=session) as end:
                    spoke.append(end.recv(20))
                    sessions.append(end.session)
                    reused.append(bool(end.session_reused))
        for pid in workers:
            os.waitpid(pid, 0)
    assert len(set(spoke)) == 2
    assert reused == [False, True]


def fork_server(listener: socket.socket, context: ssl.SSLContext) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            sock, _ = listener.accept()
            with context.wrap_socket(sock, server_side=True) as end:
                end.sendall(b"%d" % os.getpid())
                end.recv(1)
        finally:
            os._exit(0)
    return pid


@on_loop
async def test_a_client_resumes_its_session_with_a_host() -> None:
    """The session of a connection that carried a byte is offered at the next handshake with that host, and taken."""
    reused: list[bool] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reused.append(writer.get_extra_info("ssl_object").session_reused)
        writer.write(b"hello")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context(*certificate()))
    port = server.sockets[0].getsockname()[1]
    context = client_context(verify=True, ca_file=certificate().file)
    for _ in range(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        assert await reader.read(5) == b"hello"
        context.remember("127.0.0.1", writer.get_extra_info("ssl_object"))
        writer.close()
        await writer.wait_closed()
    server.close()
    assert reused == [False, True, True]


def test_kept_sessions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many hosts' sessions are kept: the one heard of first goes first. Without TLS nothing is kept."""
    monkeypatch.setattr(tls, "_SESSIONS", 2)
    context = client_context(verify=False, ca_file="")
    _, end = handshake(server_context(*certificate()), context)
    for host in ("a", "b", "a", "c"):
        context.remember(host, end)
    context.remember("d", None)
    assert list(context._sessions) == ["b", "c"]


def test_verification_is_on_unless_it_is_turned_off(tmp_path: Path) -> None:
    """An unknown authority is refused, a named one is trusted, and `verify: false` takes anybody."""
    server = server_context(*certificate())
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client_context(verify=True, ca_file=""))
    assert isinstance(client_context(verify=True, ca_file=certificate().file), ResumingContext)
    handshake(server, client_context(verify=True, ca_file=certificate().file))
    handshake(server, client_context(verify=False, ca_file=""))
    with pytest.raises(OSError, match="No such file"):
        client_context(verify=True, ca_file=str(tmp_path / "absent.pem"))
