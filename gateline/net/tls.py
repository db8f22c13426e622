"""TLS contexts: one for the listener, one an upstream policy, both resuming sessions."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Any

_SESSIONS = 1_024  # upstream hosts whose last session is kept
_PIECE = 65_536
_NO_PASSWORD = ""  # without one OpenSSL asks the terminal for it, and the process stands still


class ResumingContext(ssl.SSLContext):
    """A client context that offers each host its last session again: a resumed handshake has no certificate work.

    The event loop makes its TLS objects through `wrap_bio`, which is where the session goes in.
    """

    _sessions: dict[str, ssl.SSLSession]

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        if session is None and isinstance(server_hostname, str):
            session = self._sessions.get(server_hostname)
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def remember(self, host: str, tls: Any) -> None:
        """Keeps the session of a connection that has carried bytes: in TLS 1.3 nothing can be resumed before."""
        session = getattr(tls, "session", None)
        if session is None or not session.id:  # without an id the server has not said (yet) how to come back to it
            return
        if host not in self._sessions and len(self._sessions) >= _SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[host] = session


def client_context(*, verify: bool, ca_file: str) -> ResumingContext:
    """Raises OSError or ssl.SSLError when `ca_file` cannot be used."""
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    context._sessions = {}
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if verify:
        context.load_default_certs()
        if ca_file:
            context.load_verify_locations(ca_file)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """Raises OSError or ssl.SSLError when the files cannot be used.

    Made once by the supervisor and inherited by every worker through fork: they share its session-ticket keys, so a
    client resumes on whichever worker takes its next connection. `reload` keeps those keys.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(certificate, key, _NO_PASSWORD)
    return context


def reload_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """New handshakes use the new files, open connections stay. Raises as `server_context` does, changing nothing:
    the files are first tried on a context of their own."""
    server_context(certificate, key)
    context.load_cert_chain(certificate, key, _NO_PASSWORD)


def end_writing(transport: asyncio.Transport) -> int:
    """Half-closes a TLS connection: `close_notify` goes out behind what was written, and reading goes on. The number of
    bytes that had come and were dropped for it. The transport itself can only close both ways.

    What has arrived must be out of the way first: OpenSSL refuses to go on reading when it meets data while it waits
    for the other side's `close_notify`."""
    tls = transport.get_extra_info("ssl_object")
    dropped = 0
    with suppress(ssl.SSLError):
        while piece := tls.read(_PIECE):
            dropped += len(piece)
    with suppress(ssl.SSLError):  # "want read": the other side has not ended yet
        tls.unwrap()
    transport.pause_reading()
    transport.resume_reading()  # with its next look at what came, the loop sends what lies ready
    return dropped
