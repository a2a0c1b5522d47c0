"""Real-time scheduling of a node's process, where a user asks for it and the system permits it (sched(7))."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from typing import Annotated

from pydantic import Field

from loopwm_ros.errors import ConfigError

PARAMETER = "realtime_priority"
Priority = Annotated[
    int, Field(ge=0, le=98, description="of SCHED_FIFO, with memory locked, from the start on; 0: neither")
]
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
        raise _refused(text) from error
    _lock_memory(text)


def step_down() -> None:
    """Let this thread wait for those that have its priority, if it has a real-time one.

    SCHED_FIFO shares no core among equals: a timer would wait for a plan to end.
    """
    priority = os.sched_getparam(0).sched_priority if hasattr(os, "sched_getparam") else 0
    if priority > 1:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority - 1))


def of_the_cell(priority: int) -> int:
    """Of what plays the arm, beside an mpc with this one: no load slows an arm down, nor does it slow mpc."""
    return priority and max(1, priority - 1)


def _refused(priority: object) -> ConfigError:
    return ConfigError(
        f"{PARAMETER} {priority} is not permitted: write '@realtime - rtprio 98' into {LIMITS}, "
        "join the group realtime and log in again, or set it to 0"
    )


def _lock_memory(text: str) -> None:
    """All of it, also what is yet to come; with a limit, some later allocation would fail."""
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    if limit != resource.RLIM_INFINITY and os.geteuid() != 0:
        reason = f"at most {limit // 1024} kB may be"
    elif ctypes.CDLL(None, use_errno=True).mlockall(CURRENT | FUTURE) != 0:
        reason = os.strerror(ctypes.get_errno())
    else:
        return
    raise ConfigError(
        f"{PARAMETER} {text}: memory cannot be locked ({reason}): write '@realtime - memlock unlimited' "
        f"into {LIMITS}, join the group realtime and log in again"
    )
