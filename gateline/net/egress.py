"""Which addresses an upstream may have. Checked on the address that is connected to, after DNS, on every connect.

Private, loopback, link-local, metadata and other special networks are refused unless the configuration names the host
literally or opens the network: a name that resolves to one of them by surprise is the attack this stops.
Redirects of upstreams are never followed, so there is no second address to check.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from gateline.model.errors import EgressRefused

Address = IPv4Address | IPv6Address

# Cloud metadata services on addresses that look public; never reachable unless opened by network.
_METADATA = frozenset({ip_address("168.63.129.16"), ip_address("100.100.100.200"), ip_address("fd00:ec2::254")})
# Carrier-grade NAT, and protocol assignments (Oracle's metadata service among them) that older Pythons call global.
_SPECIAL = (ip_network("100.64.0.0/10"), ip_network("192.0.0.0/24"))
_NAT64 = ip_network("64:ff9b::/96")


def _embedded(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that carries it (mapped, 6to4, NAT64), else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    inner = _embedded(address)
    if inner in _METADATA:
        return False
    if any(inner in network for network in _SPECIAL):
        return False
    if isinstance(inner, IPv6Address) and inner.is_site_local:
        return False  # fec0::/10, given up by RFC 3879 and still routed inside some sites
    return inner.is_global and not inner.is_multicast and not inner.is_reserved


def is_address(host: str) -> bool:
    """Whether a configured host is a literal address, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class EgressPolicy:
    """`allow` lists the networks that the configuration opens, as CIDR strings."""

    def __init__(self, allow: tuple[str, ...] = ()) -> None:
        self._allow: tuple[IPv4Network | IPv6Network, ...] = tuple(ip_network(network) for network in allow)

    def check(self, address: str, *, host: str) -> None:
        """Raises EgressRefused when `address`, found for the configured `host`, may not be connected to. Callers get
        to read that error: it names no address.

        A host configured as a literal address, or as `localhost`, is named by the configuration and passes."""
        parsed = ip_address(address.partition("%")[0])
        if host == "localhost" and parsed.is_loopback:
            return
        if is_address(host) and ip_address(host) == parsed:
            return
        inner = _embedded(parsed)
        if any(inner in network or parsed in network for network in self._allow):
            return
        if not is_public(parsed):
            raise EgressRefused(
                "The upstream's name resolves to an address that is not public. If that is intended, open its network "
                "under egress.allow in the configuration: the log has the address."
            )
