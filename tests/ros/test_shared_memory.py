"""A peer that is killed may leave a lock in shared memory: safety has none there to wait for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray

from loopwm_ros.nodes import environment
from loopwm_ros.nodes.environment import (
    PEERS,
    RANGE,
    fastdds_profile,
    profile_variable,
    without_shared_memory,
)
from loopwm_ros.nodes.qos import REPORT
from loopwm_ros.nodes.spin import given
from tests.ros.conftest import Bench

SHARED = "/dev/shm/fastdds_"
PROFILE = profile_variable()


def shares(bench: Bench, name: str, **parameters: object) -> bool:
    """Does a node of this name, once it is heard, share memory with its peers?"""
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    child = bench.start(name, **parameters)
    bench.until(lambda: any(status.name == name for each in heard for status in each.status))
    return SHARED in Path(f"/proc/{child.process.pid}/maps").read_text()


@pytest.mark.parametrize("reach", ["LOCALHOST", "SUBNET"])
def test_safety_shares_none_and_is_heard(bench: Bench, reach: str, monkeypatch) -> None:
    monkeypatch.setenv(RANGE, reach)
    bench.variables = bench.variables | {RANGE: reach, PROFILE: str(fastdds_profile())}
    assert not shares(bench, "safety", arm="panda")


@pytest.mark.parametrize("transport", ["compressed", "raw"])
def test_mpc_does_for_raw_pictures_only(bench: Bench, transport: str) -> None:
    assert shares(bench, "mpc", arm="panda", image_transport=transport) == (transport == "raw")


def test_a_parameter_is_found_on_the_command_line_and_in_a_file(tmp_path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("/**:\n  ros__parameters: {image_transport: raw}\n")
    asked = ("mpc", "image_transport")
    assert given(["mpc", "--ros-args", "-p", "image_transport:=raw"], *asked) == "raw"
    assert given(["mpc", "--ros-args", "--params-file", str(file)], *asked) == "raw"
    assert given(["mpc", "--params-file", str(tmp_path / "none.yaml"), "-p", "arm:=raw"], *asked) == ""


def test_other_nodes_do(bench: Bench) -> None:
    assert shares(bench, "standin", arm="panda", task="reach"), "else the test above says nothing"


@pytest.fixture
def local() -> Iterator[None]:
    with environment.applied({RANGE: "LOCALHOST", PEERS: "", PROFILE: ""}):
        os.environ[PROFILE] = str(fastdds_profile())
        yield


def test_it_is_the_profile_that_keeps_it_local(local) -> None:
    without_shared_memory()
    assert (Path(os.environ[PROFILE]).name, os.environ[RANGE]) == ("fastdds_udp_local.xml", "SYSTEM_DEFAULT")


def test_a_profile_of_the_user_s_own_stays(local, monkeypatch) -> None:
    monkeypatch.setenv(PROFILE, "mine.xml")
    without_shared_memory()
    assert (os.environ[PROFILE], os.environ[RANGE]) == ("mine.xml", "LOCALHOST")


def test_another_middleware_stays_local_as_it_does(local, monkeypatch) -> None:
    monkeypatch.setattr("rclpy.utilities.get_rmw_implementation_identifier", lambda: "rmw_cyclonedds_cpp")
    without_shared_memory()
    assert (Path(os.environ[PROFILE]).name, os.environ[RANGE]) == ("fastdds_local.xml", "LOCALHOST")
