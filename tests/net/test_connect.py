"""Connections to upstreams over real sockets: by address, by name, with TLS, through a proxy of the environment."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
import threading
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateline.model.errors import EgressRefused, Unavailable, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from gateline.model.snapshot import Provider
from gateline.net.connect import Connector, proxy_for
from gateline.net.egress import EgressPolicy
from gateline.net.tls import ResumingContext, client_context, server_context
from tests.net.certificates import certificate
from tests.net.transport import on_loop

PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Client(asyncio.Protocol):
    """Collects what comes; `made` counts calls of `connection_made`."""

    def __init__(self) -> None:
        self.made = 0
        self.data = b""
        self.arrived = asyncio.Event()
        self.lost = asyncio.Event()
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made += 1
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


def provider(port: int, **fields: Any) -> Provider:
    return Provider("up", "openai-compatible", **{"scheme": "http", "host": "127.0.0.1", "port": port, **fields})


def connector(*allow: str) -> Connector:
    return Connector(asyncio.get_running_loop(), EgressPolicy(allow))


def addresses(*found: str) -> Any:
    """A resolver's `resolve` that has one answer for all."""

    async def resolve(host: str) -> list[str]:
        return list(found)

    return resolve


@asynccontextmanager
async def greeter(tls: bool = False) -> AsyncIterator[int]:
    """A server that says hello to everybody; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await reader.read()
        writer.close()

    context = server_context(*certificate()) if tls else None
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def greeted(at: Connector, target: Provider) -> Client:
    client = await at.connect(target, Client)
    await client.arrived.wait()
    assert (client.data, client.made) == (b"hello", 1)
    client.transport.close()
    await client.lost.wait()
    return client


@on_loop
async def test_addresses_and_localhost_are_reached() -> None:
    """A literal loopback address and `localhost` are named by the configuration: they connect."""
    async with greeter() as port:
        await greeted(connector(), provider(port))
        await greeted(connector(), provider(port, host="localhost"))


@on_loop
async def test_tls_is_verified_and_resumed() -> None:
    """With its authority named the upstream is trusted; without, refused in words that name the reason."""
    async with greeter(tls=True) as port:
        trusted = provider(port, scheme="https", ca_file=certificate().file)
        await greeted(connector(), trusted)
        with pytest.raises(UpstreamUnreachable, match=r"TLS with up failed: CERTIFICATE_VERIFY_FAILED"):
            await connector().connect(provider(port, scheme="https"), Client)
        await greeted(connector(), provider(port, scheme="https", verify_tls=False))
        at = connector()
        sessions = []
        for _ in range(2):
            client = await at.connect(trusted, Client)
            await client.arrived.wait()
            sessions.append(client.transport.get_extra_info("ssl_object").session_reused)
            at.remember_session(trusted, client.transport)
            client.transport.close()
        assert sessions == [False, True]


@on_loop
async def test_a_name_that_leads_inside_is_refused_at_connect_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: the address of this very connect is judged. One inside is refused, though another is public; opened
    by the configuration, it passes."""

    async def resolve(host: str) -> list[str]:
        return ["127.0.0.1"] if host == "inside.example" else ["10.0.0.1", "8.8.8.8"]

    async with greeter() as port:
        at = connector()
        monkeypatch.setattr(at._resolver, "resolve", resolve)
        for host in ("inside.example", "both.example"):
            with pytest.raises(EgressRefused, match=r"^up was not connected to.*egress\.allow"):
                await at.connect(provider(port, host=host), Client)
        at.egress = EgressPolicy(("127.0.0.0/8",))
        await greeted(at, provider(port, host="inside.example"))


@on_loop
async def test_a_number_is_a_name_that_leads_inside() -> None:
    """A decimal or hexadecimal loopback address is resolved like a name, and refused like one."""
    for host in ("2130706433", "0x7f000001", "127.1"):
        with pytest.raises(EgressRefused):
            await connector().connect(provider(9, host=host), Client)


@on_loop
async def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with several addresses is reached if one of them answers."""

    async def resolve(host: str) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async with greeter() as port:  # listens on 127.0.0.1 alone
        at = connector("127.0.0.0/8")
        monkeypatch.setattr(at._resolver, "resolve", resolve)
        await greeted(at, provider(port, host="two.example"))


class Asked:
    """The running loop with a name server of its own."""

    def __init__(self, getaddrinfo: Any) -> None:
        loop = asyncio.get_running_loop()
        self.time, self.create_task, self.getaddrinfo = loop.time, loop.create_task, getaddrinfo


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.2 is no address of the machine")
@on_loop
async def test_a_dead_address_in_front_delays_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that never answers costs a connection one attempt's delay, with TLS as without, and the next
    connection begins with the address that did answer."""

    async def getaddrinfo(host: str, port: None, *, type: int) -> list[Any]:  # noqa: A002 - the loop's own name
        return [(0, 0, 0, "", (address, 0)) for address in ("127.0.0.2", "127.0.0.1")]

    for tls in (False, True):
        async with greeter(tls) as port:
            with socket.socket() as dead, socket.socket() as one, socket.socket() as two:
                dead.bind(("127.0.0.2", port))
                dead.listen(0)
                for filler in (one, two):  # its queue is full: nobody else gets an answer
                    filler.setblocking(False)
                    filler.connect_ex(("127.0.0.2", port))
                at = connector("127.0.0.0/8")
                monkeypatch.setattr(at._resolver, "_loop", Asked(getaddrinfo))
                way = {"scheme": "https", "ca_file": certificate().file} if tls else {}
                target = provider(port, host="localhost", connect_timeout=600.0, **way)
                await greeted(at, target)
                assert await at._resolver.resolve("localhost") == ["127.0.0.1", "127.0.0.2"]
                await greeted(at, target)


@on_loop
async def test_what_cannot_be_reached_is_said_in_one_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed port, an unknown name, a name that is none: UpstreamUnreachable with the reason, never an OSError."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(UpstreamUnreachable, match="refused"):
        await connector().connect(provider(port), Client)
    with pytest.raises(UpstreamUnreachable, match="is not a host name"):
        await connector().connect(provider(port, host="a" * 64 + ".invalid"), Client)

    async def resolve(host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    at = connector()
    monkeypatch.setattr(at._resolver, "resolve", resolve)
    with pytest.raises(UpstreamUnreachable, match="not known"):
        await at.connect(provider(port, host="nobody.example"), Client)


@on_loop
async def test_no_descriptor_left_is_no_fault_of_the_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unavailable with a time to come back, without the address: nothing was learned about the target."""
    async with greeter() as port:
        at = connector("127.0.0.0/8")

        async def starved(*_: object, **__: object) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        monkeypatch.setattr(at._loop, "create_connection", starved, raising=False)
        with pytest.raises(Unavailable) as caught:
            await at.connect(provider(port), asyncio.Protocol)
    assert caught.value.retry_after == 1
    assert str(port) not in str(caught.value)


@on_loop
async def test_one_deadline_over_all_of_it() -> None:
    """A peer that takes the connection and then never speaks TLS is given up at `connect_timeout`."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = provider(silent.getsockname()[1], scheme="https", connect_timeout=0.05)
        with pytest.raises(UpstreamTimeout, match="took over"):
            await connector().connect(target, Client)


# --- proxies ---


@asynccontextmanager
async def proxy(reply: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n", port: int = 0) -> AsyncIterator[Any]:
    """A small CONNECT proxy that leads everybody to `port`; yields its port and the heads it was sent."""
    heads: list[bytes] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(reply)
        if port:
            back, forth = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(pump(reader, forth), pump(back, writer), return_exceptions=True)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], heads
    server.close()


@on_loop
async def test_tls_goes_through_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    """An https upstream is reached by CONNECT, with the proxy's credentials, and TLS is with the upstream itself."""
    async with greeter(tls=True) as port, proxy(port=port) as (at, heads):
        monkeypatch.setenv("https_proxy", f"http://user:p%40ss@127.0.0.1:{at}")
        target = provider(443, scheme="https", host="127.0.0.1", ca_file=certificate().file)
        found = proxy_for(provider(443, host="x.example", scheme="https"))
        monkeypatch.setattr("gateline.net.connect.proxy_for", lambda _: found)  # loopback goes through none
        await greeted(connector(), target)
    token = b64encode(b"user:p@ss")
    assert heads == [
        b"CONNECT 127.0.0.1:443 HTTP/1.1\r\nhost: 127.0.0.1:443\r\nproxy-authorization: Basic %b\r\n\r\n" % token
    ]


@on_loop
async def test_a_proxy_may_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that says no, says too much, hangs up or talks ahead is an unreachable upstream."""
    target = provider(443, scheme="https", host="x.example")
    for reply in (
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nearly",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 5_000,
        b"SSH-2.0\r\n\r\n",
        b"",
    ):
        async with proxy(reply) as (at, _):
            monkeypatch.setenv("https_proxy", f"127.0.0.1:{at}")
            with pytest.raises(UpstreamUnreachable, match="proxy"):
                await connector().connect(target, Client)


@on_loop
async def test_a_plain_upstream_is_asked_of_the_proxy_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """For an http upstream the connection goes to the proxy; a literal private address is still refused."""
    async with greeter() as port:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        await greeted(connector(), provider(80, host="x.example"))
        at = connector()
        at.egress = Refusing()
        with pytest.raises(EgressRefused):
            await at.connect(provider(80, host="10.0.0.1"), Client)


class Refusing(EgressPolicy):
    """Refuses every literal address, so that being asked is what is seen."""

    def check(self, address: str, *, host: str) -> None:
        raise EgressRefused(host)


def test_which_proxy_is_for_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheme's variable counts, NO_PROXY and loopback go past it, an empty or broken one is none."""
    assert proxy_for(provider(80, host="x.example")) is None
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    found = proxy_for(provider(80, host="x.example"))
    assert found is not None
    assert (found.host, found.port, found.authorization) == ("proxy.example", 3128, "")
    assert proxy_for(provider(443, host="x.example", scheme="https")) is None
    for host in ("localhost", "127.0.0.1", "::1"):
        assert proxy_for(provider(80, host=host)) is None
    monkeypatch.setenv("no_proxy", "x.example,.internal")
    assert proxy_for(provider(80, host="x.example")) is None
    assert proxy_for(provider(80, host="a.internal")) is None
    assert proxy_for(provider(80, host="y.example")) is not None
    monkeypatch.setenv("http_proxy", "http://")
    assert proxy_for(provider(80, host="y.example")) is None


@on_loop
async def test_callers_hear_a_name_and_the_log_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong, the error names the provider and neither its host, its port nor an address; the log has
    all of them."""
    told: list[tuple[str, str, str]] = []
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as closed:
        port, dead = silent.getsockname()[1], closed.getsockname()[1]
        closed.close()
        where = ("127.0.0.1", "127.0.0.2", "10.9.8.7", "inside.example", str(port), str(dead))
        for target, found, reason in (
            (provider(dead), [], "refused"),
            (provider(dead, host="inside.example"), ["127.0.0.1", "127.0.0.2"], "refused"),
            (provider(port, scheme="https", connect_timeout=0.05), [], "took over 0.05 s"),
            (provider(port, host="inside.example"), ["10.9.8.7"], "not public"),
            (provider(port, host=".."), None, "name"),
        ):
            at = Connector(loop, EgressPolicy(("127.0.0.0/8",)), lambda *line: told.append(line))
            if found:
                monkeypatch.setattr(at._resolver, "resolve", addresses(*found))
            with pytest.raises(UpstreamError, match=reason) as caught:
                await at.connect(target, Client)
            assert "up" in str(caught.value)
            assert not [each for each in where if each in str(caught.value)]
            name, address, _ = told.pop()
            assert (name, address, told) == ("up", f"{target.host}:{target.port}", [])


@on_loop
async def test_authorities_are_read_once_and_on_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread makes the context, all connections share it, and what could not be read is tried again."""
    threads: list[int] = []

    def make(*, verify: bool, ca_file: str) -> ResumingContext:
        threads.append(threading.get_ident())
        return client_context(verify=verify, ca_file=ca_file)

    monkeypatch.setattr("gateline.net.connect.client_context", make)
    at = connector()
    async with greeter(tls=True) as port:
        trusted = provider(port, scheme="https", ca_file=certificate().file)
        at.prepare(trusted)
        await asyncio.gather(*[greeted(at, trusted) for _ in range(3)])
        assert len(threads) == 1
        assert threading.get_ident() not in threads
        for tries in (2, 3):
            with pytest.raises(UpstreamUnreachable):
                await at.connect(provider(port, scheme="https", ca_file="/absent.pem"), Client)
            assert len(threads) == tries
