"""Environment of the processes we start: a ROS graph of their own, with room for large messages."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from pathlib import Path

from loopwm_ros.config import share_dir

PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")  # Fast DDS 3, 2
MAX_DOMAIN = 101  # higher ids collide with the ephemeral UDP ports of Linux


def fastdds_profile() -> Path:
    """The shipped Fast DDS profile (16 MB of shared memory a participant)."""
    return share_dir() / "config" / "fastdds.xml"


def profile_in_use(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The Fast DDS profile that the environment names, if any."""
    return next((Path(environ[v]) for v in PROFILE_VARIABLES if environ.get(v)), None)


def use_profile() -> None:
    """Name our Fast DDS profile to this process and its children, unless the user named one."""
    if profile_in_use() is None:
        os.environ.update(dict.fromkeys(PROFILE_VARIABLES, str(fastdds_profile())))


def private_graph(log_dir: Path) -> dict[str, str]:
    """Variables of a ROS graph that only processes with the same variables join.

    The domain id is drawn at random, so that two runs on one machine do not meet. One thread a
    process: the planner's own batches are too small to gain from more, and the cores are shared.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    return {
        "ROS_DOMAIN_ID": str(random.SystemRandom().randint(1, MAX_DOMAIN)),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(log_dir),
        "OMP_NUM_THREADS": "1",
        **dict.fromkeys(PROFILE_VARIABLES, str(profile_in_use() or fastdds_profile())),
    }
