"""Environment of the processes we start: a ROS graph of their own, with room for large messages."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import rclpy.utilities

from loopwm_ros.config import share_dir

FASTDDS_3 = 8  # first major version of rclpy over Fast DDS 3, which warns about the other's variable
RANGE_SINCE = 4  # first major version of rclpy (Iron) whose discovery has a range
RANGE, PEERS, LOCALHOST_ONLY = "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_STATIC_PEERS", "ROS_LOCALHOST_ONLY"
LOCAL = {RANGE: "LOCALHOST", PEERS: "", LOCALHOST_ONLY: "1"}  # what keeps to this machine
MAX_DOMAIN = 101  # higher ids collide with the ephemeral UDP ports of Linux


def fastdds_profile(shared_memory: bool = True) -> Path:
    """A shipped Fast DDS profile: 16 MB of shared memory a process, or none; if local, no port for others."""
    name = ("fastdds" if shared_memory else "fastdds_udp") + ("_local" if is_local() else "")
    return share_dir() / "config" / f"{name}.xml"


def profile_variable() -> str:
    """Environment variable that names a profile to this installation's Fast DDS."""
    newer = _rclpy_major() >= FASTDDS_3
    return "FASTDDS_DEFAULT_PROFILES_FILE" if newer else "FASTRTPS_DEFAULT_PROFILES_FILE"


def _rclpy_major() -> int:
    return int(version("rclpy").split(".")[0])


def use_profile() -> None:
    """Name our Fast DDS profile to this process and its children, unless the user named one."""
    os.environ.setdefault(profile_variable(), str(fastdds_profile()))


def without_shared_memory() -> None:
    """Keep this process off Fast DDS's shared memory, unless the user named a profile of his own.

    Where discovery is to stay on this machine, rmw_fastrtps adds shared memory to what the profile says: so
    the profile alone says here that it stays. Call it before rclpy starts.
    """
    variable, ours = profile_variable(), str(fastdds_profile())
    fast = "fastrtps" in rclpy.utilities.get_rmw_implementation_identifier()
    if not fast or os.environ.get(variable, ours) != ours:
        return
    os.environ[variable] = str(fastdds_profile(shared_memory=False))
    if is_local():
        first, *_ = _names()
        os.environ.pop(LOCALHOST_ONLY, None)
        os.environ[first] = {RANGE: "SYSTEM_DEFAULT", LOCALHOST_ONLY: "0"}[first]


def local_discovery() -> dict[str, str]:
    """The variable that keeps discovery on this machine; none where the user has chosen himself.

    Humble knows only the older one, which newer distributions take for granted where it is set.
    """
    names = _names()
    return {} if any(os.environ.get(name) for name in names) else {names[0]: LOCAL[names[0]]}


def is_local() -> bool:
    """Do our nodes stay on this machine, by default or by the user's choice?"""
    settings = {**os.environ, **local_discovery()}
    first, *others = _names()
    return settings.get(first) == LOCAL[first] and not any(settings.get(name) for name in others)


def _names() -> tuple[str, ...]:
    """Variables by which the user chooses."""
    return (RANGE, PEERS) if _rclpy_major() >= RANGE_SINCE else (LOCALHOST_ONLY,)


def stay_local() -> None:
    """Let this process and its children find, and be found by, this machine's only, unless the user chose.

    Call it before rclpy starts.
    """
    os.environ.update(local_discovery())


def domain_id() -> str:
    """The user's ROS domain; without one, drawn at random, so that two runs on one machine do not meet."""
    return os.environ.get("ROS_DOMAIN_ID") or str(random.SystemRandom().randint(1, MAX_DOMAIN))


def private_graph(log_dir: Path, domain: str) -> dict[str, str]:
    """Variables of a ROS graph that only processes in the same domain join, on this machine by default.

    One thread a process: the planner's own batches are too small to gain from more, and the cores are
    shared.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    return {
        "ROS_DOMAIN_ID": domain,
        **local_discovery(),
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
