"""Which addresses are public: those that Python calls global, less every form that stands for another address."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest

from tenantry.foundation.net.egress import addresses
from tenantry.foundation.net.egress.addresses import reason_against

# an address in each block, the edges of the block, and what the block is
BLOCKS = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "carriers",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "AS112",
    "192.52.193.0/24": "multicast",
    "192.88.99.0/24": "6to4",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "AS112",
    "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::2/127": "compatible",
    "::ffff:0:0/96": "mapped",
    "::ffff:0:0:0/96": "translated",
    "64:ff9b::/96": "translator",
    "64:ff9b:1::/48": "local translator",
    "100::/64": "discarded",
    "100:0:0:1::/64": "dummy",
    "2001::/32": "Teredo",
    "2001:2::/48": "benchmarks",
    "2001:3::/32": "tunnels",
    "2001:10::/28": "ORCHID",
    "2001:20::/28": "ORCHID",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "AS112",
    "3ffe::/16": "test network",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "unique local",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
    # what nobody has been given
    "4000::/3": "not global unicast",
    "8000::/1": "",
}
METADATA = ["169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "169.254.0.23", "fd00:ec2::254"]
# 127.0.0.1, 10.0.0.1 and 169.254.169.254 as parts of something longer; so is a public address, which may say the same
INNER = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "8.8.8.8"]
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0",
    "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
    "2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1111", "2620:4f:7fff::1", "2a00:1450::5efe:1",
]  # fmt: skip


@pytest.mark.parametrize("block", BLOCKS)
def test_no_address_of_a_special_block_is_public(block: str) -> None:
    network = ip_network(block)
    for address in (network[0], network[network.num_addresses // 2], network[-1]):
        reason = reason_against(address)
        assert reason is not None, address
        assert BLOCKS[block] in reason, address


@pytest.mark.parametrize("text", METADATA)
def test_what_a_cloud_tells_its_machines_is_told_to_nobody(text: str) -> None:
    assert "metadata" in (reason_against(ip_address(text)) or "")


@pytest.mark.parametrize("text", INNER)
def test_an_address_in_another_is_refused_whatever_it_is(text: str) -> None:
    inner = int(IPv4Address(text))
    around = {
        "mapped": 0xFFFF << 32 | inner,
        "compatible": inner,
        "translated": 0xFFFF << 48 | inner,
        "NAT64": 0x64FF9B << 96 | inner,
        "local NAT64": 0x64FF9B0001 << 80 | inner,
        "6to4": 0x2002 << 112 | inner << 80 | 1,
        "Teredo server": 0x20010000 << 96 | inner << 64,
        "Teredo client": 0x20010000 << 96 | (inner ^ 0xFFFFFFFF),
        "ISATAP": 0x2A00_1450 << 96 | 0x5EFE << 32 | inner,
        "ISATAP, universal": 0x2A00_1450 << 96 | 0x0200_5EFE << 32 | inner,
    }
    public = [form for form, number in around.items() if reason_against(IPv6Address(number)) is None]
    assert not public


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_let_also_beside_a_special_block(text: str) -> None:
    assert reason_against(ip_address(text)) is None


def test_nothing_is_let_that_python_calls_not_global() -> None:
    chance = random.Random(8)
    fours = [IPv4Address(chance.getrandbits(32)) for _ in range(4000)]
    # inside global unicast, where it is not refused already, and in its first blocks, where the special ones are
    sixes = [IPv6Address(1 << 125 | chance.getrandbits(125)) for _ in range(2000)]
    sixes += [IPv6Address(0x2001 << 112 | chance.getrandbits(112)) for _ in range(2000)]
    assert not [one for one in (*fours, *sixes) if not one.is_global and reason_against(one) is None]


def test_what_python_learns_first_is_refused_before_our_list_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "NETWORKS", ())
    for text in ("10.0.0.1", "192.0.2.1", "2001:db8::1"):
        assert reason_against.__wrapped__(ip_address(text)) == "not global"
