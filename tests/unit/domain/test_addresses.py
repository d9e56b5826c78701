"""Inside is inside however it is written, and the open network stays open."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.addresses import is_metadata, is_public, meant

INSIDE = (
    *(
        "127.0.0.1",
        "10.1.1.1",
        "100.64.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "198.18.0.1",
        "0.0.0.0",
        "192.88.99.1",
    ),
    *("192.0.0.9", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *(
        "::",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "5f00::1",
        "100::1",
        "2001:db8::1",
        "3fff::1",
    ),
    "2001:0:1::1",
)
METADATA = (
    *("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
    *("fd00:ec2::254", "fe80::1"),
)


@pytest.mark.parametrize("address", [*INSIDE, *METADATA])
def test_what_lies_inside_is_not_public(address: str) -> None:
    assert not is_public(meant(address))


@pytest.mark.parametrize("address", METADATA)
def test_who_hands_out_credentials_is_known(address: str) -> None:
    assert is_metadata(meant(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "3.120.0.1", "2001:4860:4860::8888", "2a05:d018::1", "64:ff9b::808:808"]
)
def test_the_open_network_is_public(address: str) -> None:
    assert is_public(meant(address))


@given(
    st.ip_addresses(v=4),
    st.sampled_from(["::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::"]),
)
def test_an_address_that_carries_another_is_judged_by_it(inner: ipaddress.IPv4Address, carrier: str) -> None:
    outer = str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(carrier)) + int(inner)))
    assert is_public(meant(outer)) <= is_public(inner)
    assert outer in {"::", "::1"} or meant(outer) == inner
