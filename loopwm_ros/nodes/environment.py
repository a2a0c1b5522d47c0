"""Environment of the processes we start: a ROS graph of their own, with room for large messages."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from loopwm_ros.config import share_dir

FASTDDS_3 = 8  # first major version of rclpy over Fast DDS 3, which warns about the other's variable
MAX_DOMAIN = 101  # higher ids collide with the ephemeral UDP ports of Linux


def fastdds_profile() -> Path:
    """The shipped Fast DDS profile (16 MB of shared memory a participant)."""
    return share_dir() / "config" / "fastdds.xml"


def profile_variable() -> str:
    """Environment variable that names a profile to this installation's Fast DDS."""
    major = int(version("rclpy").split(".")[0])
    return "FASTDDS_DEFAULT_PROFILES_FILE" if major >= FASTDDS_3 else "FASTRTPS_DEFAULT_PROFILES_FILE"


def use_profile() -> None:
    """Name our Fast DDS profile to this process and its children, unless the user named one."""
    os.environ.setdefault(profile_variable(), str(fastdds_profile()))


def domain_id() -> str:
    """The user's ROS domain; without one, drawn at random, so that two runs on one machine do not meet."""
    return os.environ.get("ROS_DOMAIN_ID") or str(random.SystemRandom().randint(1, MAX_DOMAIN))


def private_graph(log_dir: Path, domain: str) -> dict[str, str]:
    """Variables of a ROS graph on this machine that only processes in the same domain join.

    One thread a process: the planner's own batches are too small to gain from more, and the cores are
    shared.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    return {
        "ROS_DOMAIN_ID": domain,
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(log_dir),
        "OMP_NUM_THREADS": "1",
        profile_variable(): os.environ.get(profile_variable(), str(fastdds_profile())),
    }


@contextmanager
def applied(variables: Mapping[str, str]) -> Iterator[None]:
    """Environment variables of this process for the duration of a `with` block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
