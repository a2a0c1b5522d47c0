"""By default no node of ours can be found from another machine, nor find one."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray

from loopwm_ros.nodes import environment
from loopwm_ros.nodes.environment import (
    LOCALHOST_ONLY,
    PEERS,
    RANGE,
    fastdds_profile,
    local_discovery,
    private_graph,
)
from loopwm_ros.nodes.processes import Child
from loopwm_ros.nodes.qos import REPORT

VARIABLES = (RANGE, PEERS, LOCALHOST_ONLY, environment.profile_variable())


@pytest.fixture
def unset(monkeypatch) -> None:
    """As where the user has said nothing."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def bound(child: Child, ports: range) -> set[IPv4Address]:
    """Addresses at which a process has UDP ports of its domain open."""
    process = Path(f"/proc/{child.process.pid}")
    links = [str(each.readlink()) for each in (process / "fd").iterdir() if each.is_symlink()]
    found = set()
    for line in (process / "net/udp").read_text().splitlines()[1:]:
        columns = line.split()
        address, port = (int(part, 16) for part in columns[1].split(":"))
        if f"socket:[{columns[9]}]" in links and port in ports:
            found.add(IPv4Address(struct.pack("=I", address)))
    return found


def addresses(bench, **chosen: str) -> set[str]:
    """Where a safety node can be reached that is started with these variables and nothing else said."""
    kept = {name: value for name, value in bench.variables.items() if name not in VARIABLES}
    bench.variables = kept | chosen
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    child = bench.start("safety", arm="panda")
    bench.until(lambda: heard)
    first = 7400 + 250 * int(kept["ROS_DOMAIN_ID"])  # as DDS numbers them
    return {str(address) for address in bound(child, range(first, first + 250))}


def test_a_node_can_be_reached_from_this_machine_only(bench, unset) -> None:
    assert addresses(bench) == {"127.0.0.1"}


def test_unless_the_user_chose_otherwise(bench, unset) -> None:
    assert "0.0.0.0" in addresses(bench, **{RANGE: "SUBNET"})


def test_a_range_or_peers_that_the_user_set_are_kept(unset, tmp_path) -> None:
    assert local_discovery() == {RANGE: "LOCALHOST"}
    assert fastdds_profile().name == "fastdds_local.xml"
    assert fastdds_profile(shared_memory=False).name == "fastdds_udp_local.xml"
    assert private_graph(tmp_path, "12")[RANGE] == "LOCALHOST"
    for name, value in ((RANGE, "SUBNET"), (PEERS, "192.0.2.7")):
        with environment.applied({name: value}):
            assert local_discovery() == {}
            assert fastdds_profile().name == "fastdds.xml"
            assert fastdds_profile(shared_memory=False).name == "fastdds_udp.xml"
            assert RANGE not in private_graph(tmp_path, "12")


def test_humble_is_told_in_its_own_way(unset, monkeypatch) -> None:
    monkeypatch.setattr(environment, "_rclpy_major", lambda: 3)
    assert local_discovery() == {LOCALHOST_ONLY: "1"}
    with environment.applied({LOCALHOST_ONLY: "0"}):
        assert local_discovery() == {}
