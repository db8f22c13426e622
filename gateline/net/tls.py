"""TLS contexts: one for the listener, one an upstream policy, both resuming sessions."""

from __future__ import annotations

import ssl
from typing import Any

_SESSIONS = 1_024  # upstream hosts whose last session is kept
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
        """Keeps the session of a connection that is ending: in TLS 1.3 it exists only after the first bytes."""
        session = getattr(tls, "session", None)
        if session is None:
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
