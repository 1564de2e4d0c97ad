"""Which IP addresses a webhook may be at: those of the public internet, and those that the project allows.

A webhook's address comes from a secret that others may write. Without this rule it could make mlspec send requests to services that
trust this machine, such as a cloud's metadata server (https://owasp.org/www-community/attacks/Server_Side_Request_Forgery).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# An IPv4 address in an IPv6 address, as networks without IPv4 reach it (RFC 6052, 2.1).
_NAT64 = ip_network("64:ff9b::/96")
# Public by its number, and the host's own service on Azure (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
_PLATFORM = ip_address("168.63.129.16")


def restriction_of(address: str, allowed: Sequence[str] = ()) -> str | None:
    """Return why a webhook may not be at an IP address, in one word; None if it may. `allowed` are networks as `10.0.0.0/8`.

    An IPv4 address that is written as IPv6 (mapped, 6to4, NAT64) is judged as the IPv4 address.
    """
    found = _without_ipv6_form(ip_address(address.partition("%")[0]))
    if any(found in ip_network(network) for network in allowed):
        return None
    if found.is_loopback:
        return "loopback"
    if found.is_link_local or found == _PLATFORM:
        return "link-local"
    if found.is_global and not (found.is_multicast or found.is_reserved or _is_site_local(found)):
        return None
    return "private"


def _without_ipv6_form(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_site_local(address: IPv4Address | IPv6Address) -> bool:
    return isinstance(address, IPv6Address) and address.is_site_local
