"""Choosing a subnet, and knowing which interfaces are the engine's."""

from ipaddress import IPv4Network

import pytest

from isol8_tasks.errors import LabError
from lab.network import choose_subnet, hardware_address, made_by_engine, taken_networks

NAME = "isol8-0123456789ab"


class TestChooseSubnet:
    """A free /24 for each engine."""

    def test_same_engine_gets_same_subnet(self) -> None:
        """An engine keeps its subnet from one start to the next."""
        assert choose_subnet([], NAME) == choose_subnet([], NAME)

    def test_engines_differ(self) -> None:
        """Two checkouts begin to look at different places."""
        assert choose_subnet([], NAME) != choose_subnet([], "isol8-ba9876543210")

    def test_taken_subnet_is_left_alone(self) -> None:
        """A subnet that the machine uses, or that lies within one it uses, is not chosen."""
        first = choose_subnet([], NAME)
        taken = first.supernet(new_prefix=20)
        chosen = choose_subnet([taken], NAME)
        assert chosen.prefixlen == 24
        assert not chosen.overlaps(taken)

    def test_small_network_inside_counts(self) -> None:
        """A single address within a subnet is enough to pass it over."""
        first = choose_subnet([], NAME)
        assert choose_subnet([IPv4Network(f"{first[7]}/32")], NAME) != first

    def test_no_subnet_left(self) -> None:
        """A machine that routes everything is told so."""
        with pytest.raises(LabError) as caught:
            choose_subnet([IPv4Network("10.0.0.0/8")], NAME)
        assert str(caught.value) == (
            "The private engine found no free /24 in 10.192.0.0/11: this machine's routes take all of it."
        )


class TestHardwareAddress:
    """What a bridge is called on its wire."""

    def test_it_is_the_engines_own(self) -> None:
        """It is local and for one receiver, and another for another engine."""
        assert hardware_address(NAME) == "02:23:45:67:89:ab"
        assert hardware_address("isol8-ffffffffffff") == "fe:ff:ff:ff:ff:ff"


class TestTakenNetworks:
    """What `ip -j` says is in use."""

    def test_addresses_and_routes(self) -> None:
        """Networks of addresses and destinations of routes are taken, a default route is not."""
        addresses = '[{"addr_info": [{"local": "192.0.2.2", "prefixlen": 24}]}, {}]'
        routes = (
            '[{"dst": "default"}, {"dst": "10.200.0.0/16"}, {"dst": "192.0.2.255"}, {"dst": "0.0.0.0/0"}]'
        )
        assert taken_networks(addresses, routes) == [
            IPv4Network("192.0.2.0/24"),
            IPv4Network("10.200.0.0/16"),
            IPv4Network("192.0.2.255/32"),
        ]

    def test_nothing_printed(self) -> None:
        """A machine without a network has nothing taken."""
        assert taken_networks("", "") == []


def test_only_bridges_of_the_engines_own_networks_are_its() -> None:
    """A bridge is ours if the engine's database knows its network, whatever else is called br-something."""
    interfaces = ["eth0", "br-0123456789ab", "br-ffffffffffff", "br-lan"]
    assert made_by_engine(interfaces, b"..network/0123456789abcdef..br-lan..") == ["br-0123456789ab"]
