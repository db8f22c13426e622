"""Asks a vendor something free, to know whether an address and a key are good before they are put to use."""

from __future__ import annotations

import socket
from typing import Final

import httpx
import msgspec

from gateline.control.own_get import own_get
from gateline.formats.vendor_error import read_error
from gateline.model.errors import EgressRefused
from gateline.model.snapshot import Provider
from gateline.net.egress import EgressPolicy
from gateline.providers.paths import fill
from gateline.providers.row import Row

_SECONDS: Final = 10.0
_MAX_REPLY: Final = 1024 * 1024  # bytes that are looked at: what follows does not change the verdict
_REFUSED: Final = frozenset({401, 402, 403})


class Verdict(msgspec.Struct, frozen=True):
    """`is_good` None: nothing could be said. `words` are one line: what was found, and what to do about it."""

    is_good: bool | None
    words: str


def probe(provider: Provider, row: Row, egress: EgressPolicy) -> Verdict:
    """One request, no retry, at most ten seconds; raises nothing."""
    if not row.free:
        return Verdict(None, "not tested: this vendor documents no call that is free and checks the credential")
    if row.issuer and not provider.keys:
        return Verdict(None, "not tested: its token is made by the running gateway, which will say if it cannot")
    try:
        status, headers, body = _ask(provider, row, egress)
    except EgressRefused as error:
        return Verdict(False, f"unreachable: {error}")
    except (OSError, httpx.HTTPError, ValueError) as error:
        return Verdict(
            False, f"unreachable ({_reason(error)}): check base_url, and that this machine may connect to it"
        )
    return _judged(status, headers, body, provider)


def _judged(status: int, headers: list[tuple[bytes, bytes]], body: bytes, provider: Provider) -> Verdict:
    if status == 200:
        return Verdict(True, "ok: it answers, and takes the key" if provider.keys else "ok: it answers, without a key")
    said = read_error(status, headers, body, secret=next(iter(provider.keys), "")).message
    # xAI's status for it is 400.
    if status in _REFUSED or (status == 400 and "api key" in said.lower()):
        todo = "make a new one, or check which account it is of" if provider.keys else "it wants one: add it"
        return Verdict(False, f"key refused ({status}: {said}): {todo}")
    if status == 404:
        return Verdict(False, f"nothing there ({status}: {said}): check base_url, which usually ends in /v1")
    if status == 429:
        return Verdict(None, f"busy ({status}: {said}): the key was not refused, try again later")
    return Verdict(False, f"it answered {status}: {said}")


def _ask(provider: Provider, row: Row, egress: EgressPolicy) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and the beginning of the body. Connects to an address that was checked, as the gateway does."""
    found = socket.getaddrinfo(provider.host, provider.port, type=socket.SOCK_STREAM)
    address = str(found[0][4][0])
    egress.check(address, host=provider.host)
    get = own_get(provider, row, address, fill(row.free, provider.options))
    with (
        httpx.Client(trust_env=False, verify=get.verify, timeout=_SECONDS, follow_redirects=False) as client,
        client.stream("GET", get.url, headers=get.headers, extensions=get.extensions) as reply,
    ):
        raw = bytearray()
        for chunk in reply.iter_raw():
            raw += chunk
            if len(raw) > _MAX_REPLY:
                break
        return reply.status_code, list(reply.headers.raw), bytes(raw[:_MAX_REPLY])


def _reason(error: Exception) -> str:
    """A few words that hold nothing of the address: its host may be a secret of somebody's network."""
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, httpx.ConnectTimeout | httpx.ReadTimeout | TimeoutError):
        return "it does not answer in time"
    if isinstance(error, httpx.ConnectError) and "certificate" in str(error).lower():
        return "its certificate is not trusted"
    if isinstance(error, httpx.ConnectError | ConnectionError):
        return "no connection"
    return "it does not speak HTTP" if isinstance(error, httpx.RemoteProtocolError) else type(error).__name__
