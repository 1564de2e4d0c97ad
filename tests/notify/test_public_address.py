"""Which addresses a webhook may be at: an address is judged alike in whatever form it is written."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.targets.notify.public_address import restriction_of


@pytest.mark.parametrize(("address", "says"), [
    ("93.184.216.34", None), ("2606:2800:220:1::1", None), ("64:ff9b::5db8:d822", None),
    ("127.0.0.1", "loopback"), ("::1", "loopback"), ("64:ff9b::7f00:1", "loopback"), ("2002:7f00:1::", "loopback"),
    ("169.254.169.254", "link-local"), ("fe80::1%eth0", "link-local"), ("168.63.129.16", "link-local"),
    ("10.0.0.1", "private"), ("172.16.0.1", "private"), ("192.168.0.1", "private"), ("100.64.0.1", "private"),
    ("0.0.0.0", "private"),
    ("fd00:ec2::254", "private"), ("fec0::1", "private"), ("::", "private"), ("224.0.0.1", "private"),
    ("255.255.255.255", "private"),
    ("ff02::1", "private"), ("64:ff9b:1::a00:1", "private"), ("::7f00:1", "private"), ("2001:db8::1", "private"),
])  # fmt: skip
def test_where_a_webhook_may_be(address: str, says: str | None) -> None:
    assert restriction_of(address) == says


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_in_every_form(address: IPv4Address) -> None:
    number = int(address)
    forms = [f"::ffff:{address}", f"64:ff9b::{address}", f"2002:{number >> 16:x}:{number & 0xFFFF:x}::"]
    assert {restriction_of(form) for form in forms} == {restriction_of(str(address))}


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_a_network_that_the_project_names_is_allowed_whole_and_nothing_beside_it(
    address: IPv4Address, bits: int
) -> None:
    network = ip_network(f"{address}/{bits}", strict=False)
    assert restriction_of(f"::ffff:{address}", (str(network),)) is None
    if IPv4Address("10.0.0.1") not in network:
        assert restriction_of("10.0.0.1", (str(network),)) == "private"
