"""Real-time scheduling of a node's process, where a user asks for it and the system permits it (sched(7))."""

from __future__ import annotations

import ctypes
import os
import sys

from loopwm_ros.errors import ConfigError

PARAMETER = "realtime_priority"
LIMITS = "/etc/security/limits.d/realtime.conf"
CURRENT, FUTURE = 1, 2  # MCL_CURRENT, MCL_FUTURE: pages that are there, pages to come


def keep_time(text: str) -> None:
    """Run this thread, and all that it starts from now on, with SCHED_FIFO at this priority; lock memory.

    `text` is the parameter's value as given; nothing or 0: neither. Linux alone has both.

    Raises:
        ConfigError: it is no priority, or not permitted; says what would permit it.
    """
    if text in ("", "0"):
        return
    if not (text.isdecimal() and 1 <= int(text) <= 98):
        raise ConfigError(f"{PARAMETER} is '{text}'; expected a whole number from 0 to 98")
    if not sys.platform.startswith("linux"):
        raise ConfigError(f"{PARAMETER} is for Linux; set it to 0")
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(int(text)))
    except PermissionError as error:
        raise ConfigError(
            f"{PARAMETER} {text} is not permitted: write '@realtime - rtprio 98' into {LIMITS}, "
            "join the group realtime and log in again, or set it to 0"
        ) from error
    if ctypes.CDLL(None, use_errno=True).mlockall(CURRENT | FUTURE) != 0:
        raise ConfigError(
            f"{PARAMETER} {text}: memory cannot be locked ({os.strerror(ctypes.get_errno())}): write "
            f"'@realtime - memlock unlimited' into {LIMITS}, join the group realtime and log in again"
        )
