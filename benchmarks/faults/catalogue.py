"""All faults, and what is promised about each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from benchmarks.faults import breakages, changes, messages
from benchmarks.faults.messages import changed
from benchmarks.faults.relay import Change
from benchmarks.faults.scene import ARM, Scene
from benchmarks.faults.switches import Plans
from loopwm_ros.data import topics
from loopwm_ros.nodes.mpc_topics import PLAN_TOPIC

JOINTS = ARM.topics.joint_states
Promise = Literal["joints", "plans", "camera", "planner", "at once", "flood", "some time", ""]


@dataclass(frozen=True)
class Fault:
    """What is done to a scene, and what must come of it."""

    name: str
    done: str  # in words
    made: Callable[
        [Scene], AbstractContextManager[float]
    ]  # lasts while open; gives when it began [s, steady]
    promise: Promise  # what bounds the time to rest (`promises.py`); empty: the arm may go on
    says: str  # what safety or mpc must give as the reason, a pattern; empty: nothing need be said
    lasts: float = 1.0  # [s]
    latched: bool = False  # a person must reset and arm
    cure: str = ""  # what else ends it, in words
    starves: bool = False  # no time is promised


def _camera(
    name: str, done: str, change: Callable[[], Change], says: str, promise: Promise = "camera"
) -> Fault:
    return Fault(f"camera_{name}", done, changed(change, "camera"), promise, says)


def _joints(
    name: str, done: str, change: Callable[[], Change], promise: Promise, says: str, latched: bool = False
) -> Fault:
    return Fault(f"joints_{name}", done, changed(change, "joints"), promise, says, latched=latched)


def _all(name: str, done: str, plans: Plans, promise: Promise = "", says: str = "") -> Fault:
    return Fault(f"messages_{name}", done, messages.everywhere(plans), promise, says)


def _clock(name: str, done: str, shift: float, stamps: bool, promise: Promise, says: str) -> Fault:
    return Fault(f"clock_{name}", done, messages.shifted(shift, stamps), promise, says)


def _onnx(name: str, done: str, change: Callable[[bytes], bytes]) -> Fault:
    made = breakages.bundle_changed(change)
    cure = "the right file, and mpc configured and activated"
    return Fault(f"onnx_{name}", done, made, "plans", "coda.onnx does not match", lasts=0.2, cure=cure)


def _person(
    name: str,
    done: str,
    made: Callable[[Scene], AbstractContextManager[float]],
    says: str,
    promise: Promise = "at once",
) -> Fault:
    return Fault(name, done, made, promise, says, lasts=0.2, latched=True)


STALE, OTHER = "joint states are stale", " while mpc runs; then it is configured anew"
FAULTS = (
    _camera("stops", "no picture comes", changes.dropped, "came"),
    _camera("frozen", "the same picture with new stamps", changes.frozen, "frozen", promise="some time"),
    _camera("stuck", "the same message, stamp and all", changes.stuck, "stamped|frozen"),
    _camera("black", "black pictures", changes.black, "black"),
    _camera("size", "pictures of twice the size", changes.doubled, "320x240"),
    _joints("stop", "no joint state comes", changes.dropped, "joints", STALE),
    _joints("stuck", "the same message, stamp and all", changes.stuck, "joints", STALE),
    _joints("nan", "one joint is NaN", changes.nan, "joints", STALE),
    _joints("jump", "one joint is 0.5 rad off", changes.jumped, "at once", "jumped", latched=True),
    _joints("reordered", "other order, names with them", changes.reordered, "", ""),
    _joints("mixed_up", "other order, names stay", changes.mixed_up, "at once", "jumped", latched=True),
    _clock("forth", "all clocks jump 10 s forth, then back", 10.0, stamps=True, promise="", says=""),
    _clock("back", "all clocks jump 10 s back, then forth", -10.0, stamps=True, promise="", says=""),
    _clock("apart", "the nodes' clock alone jumps 10 s", 10.0, stamps=False, promise="joints", says=STALE),
    _all("late", "all messages come 0.4 s late", Plans.LATE, "joints", STALE),
    _all("thrice", "all messages come three times", Plans.THRICE),
    _all("swapped", "of any two messages the later comes first", Plans.SWAPPED),
    _all("lost", "30 % of all messages are lost", Plans.LOST),
    Fault("mpc_killed", "SIGKILL", breakages.killed, "plans", "plan is stale", 0.5, cure="mpc started again"),
    Fault("mpc_hung", "SIGSTOP; then SIGCONT", breakages.hung("mpc"), "plans", "plan is stale"),
    Fault("mpc_memory", "mpc can get no memory", breakages.out_of_memory, "planner", "MemoryError"),
    Fault("planner_nan", "the planner returns NaN", breakages.planner_nan, "planner", "NaN"),
    _onnx("truncated", f"a graph of the bundle is cut short{OTHER}", lambda data: data[: len(data) // 2]),
    _onnx("swapped", f"a graph of the bundle is another{OTHER}", lambda data: data[::-1]),
    Fault("disk_full", "no room for the trace of mpc", breakages.disk_full, "", "lines wait"),
    Fault("cpu_starved", "two busy processes for each core", breakages.starved, "", "", starves=True),
    Fault("safety_hung", "SIGSTOP; SIGCONT after 0.3 s", breakages.hung("safety"), "", "", lasts=0.3),
    _person("two_mpc", "a second mpc node", breakages.two_planners, "two nodes live|publish on /mpc/plan"),
    _person(
        "second_commander",
        "another publisher on the controller's topic",
        breakages.second_commander,
        "commands the arm",
    ),
    _person(
        "flood_joints",
        "a peer that was there when the arm was armed floods the joint states",
        breakages.flooded(JOINTS),
        "is flooded",
        "flood",
    ),
    _person("flood_plans", "a peer floods the plans", breakages.flooded(PLAN_TOPIC), "is flooded|publish on"),
    Fault(
        "flood_camera",
        "a peer floods the pictures",
        breakages.flooded(topics.COMPRESSED),
        "",
        "",
        starves=True,
    ),
)
