"""Which network addresses are everybody's, and which lead inside or to whoever hands out credentials."""

import ipaddress
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# Instance metadata services and agents of hosts answer whoever asks; nothing else lives there.
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            *("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
            "fd00:ec2::254",
        ),
    )
)
# Ways to write an IPv4 address into the last bits of an IPv6 one.
_CARRIERS = tuple(
    map(
        ipaddress.IPv6Network, ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
    )
)
_UNICAST = ipaddress.IPv6Network("2000::/3")
_SPECIAL = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "2001::/32", "2001:db8::/32", "3fff::/20"),
    )
)


def meant(address: str) -> Address:
    """The address behind a text: the IPv4 one where an IPv6 one only carries it. Raises ValueError."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address) or ip.is_loopback or ip.is_unspecified:
        return ip
    if any(ip in one for one in _CARRIERS):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.sixtofour or ip


def is_metadata(ip: Address) -> bool:
    """Whether credentials are handed out there, or may be."""
    return ip in _METADATA or ip.is_link_local


def is_public(ip: Address) -> bool:
    """Whether it is one host of the open network."""
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _UNICAST:
        return False
    inside = any(ip in one for one in _SPECIAL if one.version == ip.version)
    return ip.is_global and not (ip.is_multicast or is_metadata(ip) or inside)
