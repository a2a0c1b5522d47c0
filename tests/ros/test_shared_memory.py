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
