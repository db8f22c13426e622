"""Whether certificates, keys and authorities that a configuration names can be used. Reads them, keeps nothing."""

from __future__ import annotations

from typing import Literal

_NO_CERTIFICATE = "holds no certificate in PEM form"
_WEAK = {"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "EE_MD_TOO_WEAK"}


def ca_fault(path: str) -> str:
    """What is wrong with a file of authorities; blank when nothing is."""
    import ssl  # only for who names such files: a start without TLS does not wait for it

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return _NO_CERTIFICATE
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


def pair_fault(certificate: str, key: str) -> tuple[Literal["certificate", "key"], str] | None:
    """What is wrong with a server's certificate or key, or with the two together, and which file to look at."""
    fault = ca_fault(certificate)
    if fault:
        return "certificate", fault
    import ssl

    from gateline.net.tls import server_context

    try:
        server_context(certificate, key)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return "key", "does not belong to server.tls.certificate: name the key that it was made with"
        if error.reason in _WEAK:
            return "certificate", "is too weak for today's TLS: make one with a longer key"
        return "key", "holds no private key in PEM form, or one with a password: write it without"
    except OSError as error:
        return "key", f"cannot be read: {error.strerror}"
    return None
