"""Opens connections to upstreams: DNS, address policy, proxies from the environment, TLS, one deadline over all."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, cast
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from gateline.model.errors import EgressRefused, Unavailable, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from gateline.model.snapshot import Provider
from gateline.net.dns import Resolver
from gateline.net.egress import EgressPolicy, is_address
from gateline.net.race import connect_first
from gateline.net.tls import ResumingContext, client_context

P = TypeVar("P", bound=asyncio.Protocol)
# Told of each failure: the provider's name, the address that was tried, what went wrong. Only the name goes to callers.
Notice = Callable[[str, str, str], None]

_PROXY_HEAD = 16_384
_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE})  # ours: it says nothing about the upstream


def _tell_nobody(provider: str, address: str, reason: str) -> None:
    """Where there is no log."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy of the environment. `authorization` is a ready header value, empty without credentials."""

    host: str
    port: int
    authorization: str = ""


def proxy_for(provider: Provider) -> Proxy | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for an upstream. Loopback never goes through one."""
    if provider.host in {"localhost", "127.0.0.1", "::1"} or proxy_bypass(provider.host):
        return None
    url = getproxies().get(provider.scheme)
    if not url:
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if not parts.hostname:
        return None
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + b64encode(pair.encode()).decode()
    return Proxy(parts.hostname, parts.port or 80, authorization)


class Connector:
    """Opens sockets for the pools. One a worker: it holds the resolver, the policy and the TLS contexts."""

    def __init__(self, loop: asyncio.AbstractEventLoop, egress: EgressPolicy, notice: Notice = _tell_nobody) -> None:
        self._loop = loop
        self._notice = notice
        self._resolver = Resolver(loop)
        self._contexts: dict[tuple[bool, str], asyncio.Future[ResumingContext]] = {}
        self.egress = egress
        self.connects = 0

    def prepare(self, provider: Provider) -> asyncio.Future[ResumingContext]:
        """The TLS context for a provider, in the making: a thread reads the certificate authorities (30 ms of work),
        best before the first connection needs them. What could not be read is tried again at the next call."""
        key = (provider.verify_tls, provider.ca_file)
        context = self._contexts.get(key)
        if context is None or (context.done() and context.exception() is not None):
            make = partial(client_context, verify=key[0], ca_file=key[1])
            context = self._contexts[key] = self._loop.run_in_executor(None, make)
            context.add_done_callback(asyncio.Future.exception)  # seen, also when nobody waits for it
        return context

    def remember_session(self, provider: Provider, transport: asyncio.Transport) -> None:
        """Keeps the TLS session of a connection that has carried a reply, for the next handshake with its host."""
        if provider.scheme == "https":
            context = self._contexts[provider.verify_tls, provider.ca_file].result()
            context.remember(provider.host, transport.get_extra_info("ssl_object"))

    async def connect(self, provider: Provider, make: Callable[[], P]) -> P:
        """A connected protocol. Raises UpstreamError saying which step failed, or Unavailable when this process may
        open nothing more; never an OSError."""
        try:
            async with asyncio.timeout(provider.connect_timeout):
                protocol = await self._connect(provider, make)
        except TimeoutError:
            self._tell(provider, f"took over {provider.connect_timeout:g} s")
            raise UpstreamTimeout(f"Connecting to {provider.name} took over {provider.connect_timeout:g} s.") from None
        except UpstreamError:
            raise
        except ssl.SSLError as error:
            self._tell(provider, str(error))
            raise UpstreamUnreachable(f"TLS with {provider.name} failed: {error.reason}.") from None
        except OSError as error:
            self._tell(provider, str(error))
            if error.errno in _OUT_OF_FILES:
                raise Unavailable(
                    "No file descriptor is left for a connection to an upstream: try again shortly.", retry_after=1
                ) from None
            raise UpstreamUnreachable(f"Cannot connect to {provider.name}: {_reason(error)}.") from None
        self.connects += 1
        return protocol

    def _tell(self, provider: Provider, reason: str) -> None:
        self._notice(provider.name, f"{provider.host}:{provider.port}", reason)

    def _check(self, provider: Provider, address: str) -> None:
        try:
            self.egress.check(address, host=provider.host)
        except EgressRefused as error:
            self._tell(provider, f"{address} is not public, and not opened under egress.allow")
            raise EgressRefused(f"{provider.name} was not connected to. {error}") from None

    async def _connect(self, provider: Provider, make: Callable[[], P]) -> P:
        proxy = proxy_for(provider)
        tls = None
        if provider.scheme == "https":  # shielded: one who stops waiting must not take it from the others
            tls = await asyncio.shield(self.prepare(provider))
        if proxy is not None:
            return await self._through_proxy(provider, proxy, tls, make)
        addresses = await self._resolver.resolve(provider.host)
        for address in addresses:
            self._check(provider, address)  # all of them: each may be the one that answers
        name = provider.host if tls else None
        if len(addresses) == 1:
            _, protocol = await self._loop.create_connection(
                make, addresses[0], provider.port, ssl=tls, server_hostname=name
            )
            return protocol
        address, sock = await connect_first(self._loop, addresses, provider.port)
        if address != addresses[0]:
            self._resolver.prefer(provider.host, address)
        _, protocol = await self._loop.create_connection(make, sock=sock, ssl=tls, server_hostname=name)
        return protocol

    async def _through_proxy(
        self, provider: Provider, proxy: Proxy, tls: ssl.SSLContext | None, make: Callable[[], P]
    ) -> P:
        """Plain upstreams are asked for in absolute form (their request heads say so); TLS ones through CONNECT.

        The proxy resolves the name, so only a literal address can be held against the policy here; the proxy itself is
        named by whoever set the environment."""
        if is_address(provider.host):
            self._check(provider, provider.host)
        if tls is None:
            _, protocol = await self._loop.create_connection(make, proxy.host, proxy.port)
            return protocol
        transport, tunnel = await self._loop.create_connection(_Tunnel, proxy.host, proxy.port)
        try:
            await tunnel.open(f"{provider.host}:{provider.port}", proxy.authorization)
            protocol = make()
            upgraded = await self._loop.start_tls(transport, protocol, tls, server_hostname=provider.host)
        except BaseException:
            transport.abort()
            raise
        if upgraded is None:
            raise OSError("the proxy closed the tunnel")
        protocol.connection_made(upgraded)
        return protocol


def _reason(error: OSError) -> str:
    """What a caller may read of it: the system's words for a number, or ours. The loop puts addresses into its own."""
    if error.errno is None or isinstance(error, socket.gaierror):
        return error.strerror or str(error) or type(error).__name__
    return os.strerror(error.errno)


class _Tunnel(asyncio.Protocol):
    """The CONNECT exchange with a proxy, before TLS takes the transport over."""

    def __init__(self) -> None:
        self._reply = bytearray()
        self._done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._reply += data
        if self._done.done():
            return
        if b"\r\n\r\n" in self._reply:
            self._done.set_result(bytes(self._reply))
        elif len(self._reply) > _PROXY_HEAD:
            self._done.set_exception(OSError("the proxy's reply is too long"))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(OSError("the proxy closed the connection"))

    async def open(self, authority: str, authorization: str) -> None:
        assert self._transport is not None
        line = f"proxy-authorization: {authorization}\r\n" if authorization else ""
        self._transport.write(f"CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n{line}\r\n".encode())
        reply = await self._done
        parts = reply.split(b" ", 2)
        if len(parts) < 2 or parts[1] != b"200" or not reply.endswith(b"\r\n\r\n"):
            raise OSError(f"the proxy refused the tunnel: {reply[:12].decode('latin-1')!r}")
