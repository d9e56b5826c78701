"""Which network addresses a source may be read from."""

import socket
from dataclasses import dataclass
from typing import Protocol

from domain.addresses import is_metadata, is_public, meant


class AddressGuard(Protocol):
    """Decides on addresses after names were resolved, so that no name can smuggle one in."""

    def refusal(self, address: str) -> str | None:
        """Why this address must not be reached, or None."""


@dataclass(frozen=True, slots=True)
class PublicAddresses:
    """Refuses loopback and private addresses unless allowed, and link-local and metadata ones always."""

    allow_private: bool = False

    def refusal(self, address: str) -> str | None:
        ip = meant(address)
        if is_metadata(ip) or ip.is_multicast or ip.is_unspecified:
            return "is a link-local, metadata or multicast address, which is never read"
        if not is_public(ip) and not self.allow_private:
            return "is a loopback or private address; set allow_private_addresses = true to read it"
        return None


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host in the order of preference; raises OSError where it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
