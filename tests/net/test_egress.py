"""The address policy, over a corpus of addresses that have let others down."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.model.errors import EgressRefused
from gateline.net.egress import EgressPolicy, is_address, is_public

INSIDE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1",
    "127.1.2.3", "168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255",
    "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fc00::1", "fd00:ec2::254", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
    "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:100.64.0.1", "::7f00:1",
    "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b:1::7f00:1",
    "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:a00:1::", "2001::1", "100::1",
]  # fmt: skip
OUTSIDE = [
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.167.255.255", "169.253.1.1",
    "2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_no_name_leads_inside(address: str) -> None:
    """A name that resolves to a private, local, metadata or otherwise special address is refused, in every disguise."""
    with pytest.raises(EgressRefused):
        EgressPolicy().check(address, host="api.example.com")


@pytest.mark.parametrize("address", OUTSIDE)
def test_public_addresses_pass(address: str) -> None:
    """What anybody can reach may be reached."""
    EgressPolicy().check(address, host="api.example.com")


@pytest.mark.parametrize("address", [each for each in INSIDE if "%" not in each])
def test_what_the_configuration_names_passes(address: str) -> None:
    """A host that is a literal address, or whose network is opened, was meant; another address in disguise was not."""
    EgressPolicy().check(address, host=address)
    with pytest.raises(EgressRefused):
        EgressPolicy().check(address, host="8.8.8.8")
    width = 128 if ":" in address else 32
    EgressPolicy((f"{address}/{width}",)).check(address, host="api.example.com")


def test_localhost_means_loopback_only() -> None:
    """`localhost` may lead to a loopback address and to no other private one; other names may not lead there."""
    policy = EgressPolicy()
    for address in ("127.0.0.1", "::1"):
        policy.check(address, host="localhost")
        for host in ("localhost.example.com", "LOCALHOST.", "localhost.localdomain"):
            with pytest.raises(EgressRefused):
                policy.check(address, host=host)
    with pytest.raises(EgressRefused):
        policy.check("10.0.0.1", host="localhost")


def test_an_opened_network_opens_nothing_else() -> None:
    """An opened network passes, mapped into IPv6 too; the network beside it does not."""
    policy = EgressPolicy(("10.1.0.0/16", "fd00:1::/32"))
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5"):
        policy.check(address, host="models.internal")
    for address in ("10.2.0.1", "fd00:2::5", "127.0.0.1", "::ffff:10.2.0.1"):
        with pytest.raises(EgressRefused):
            policy.check(address, host="models.internal")


def test_odd_spellings_are_names_not_addresses() -> None:
    """What only a resolver takes for an address does not count as named by the configuration."""
    policy = EgressPolicy()
    for host in ("2130706433", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.1.", "[::1]"):
        assert not is_address(host)
        with pytest.raises(EgressRefused):
            policy.check("127.0.0.1", host=host)


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_a_disguise_changes_nothing(address: IPv4Address) -> None:
    """An IPv4 address mapped, translated or tunnelled in IPv6 is as public as it is itself."""
    number = int(address)
    disguises = (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80)
    for disguise in disguises:
        assert is_public(IPv6Address(disguise)) == is_public(address)
