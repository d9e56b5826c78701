"""Which network addresses a source may be read from."""

import ipaddress
import socket
from dataclasses import dataclass
from typing import Protocol

# Instance metadata services hand out credentials to whoever asks; no source lives there.
_METADATA = frozenset(
    map(ipaddress.ip_address, ("169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254"))
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressGuard(Protocol):
    """Decides on addresses after names were resolved, so that no name can smuggle one in."""

    def refusal(self, address: str) -> str | None:
        """Why this address must not be reached, or None."""


@dataclass(frozen=True, slots=True)
class PublicAddresses:
    """Refuses loopback and private addresses unless allowed, and link-local and metadata ones always."""

    allow_private: bool = False

    def refusal(self, address: str) -> str | None:
        ip = _innermost(ipaddress.ip_address(address.split("%", maxsplit=1)[0]))
        if ip in _METADATA or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
            return "is a link-local, metadata or multicast address, which is never read"
        if not ip.is_global and not self.allow_private:
            return "is a loopback or private address; set allow_private_addresses = true to read it"
        return None


def _innermost(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host in the order of preference; raises OSError where it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
