"""All faults, and what is promised about each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from benchmarks.faults import breakages, messages
from benchmarks.faults.messages import ALL, changed
from benchmarks.faults.scene import Scene
from loopwm_ros.data import topics
from loopwm_ros.nodes.mpc import PLAN_TOPIC

Promise = Literal["joints", "plans", "camera", "planner", "at once", ""]


@dataclass(frozen=True)
class Fault:
    """What is done to a scene, and what must come of it."""

    name: str
    done: str  # in words
    made: Callable[
        [Scene], AbstractContextManager[float]
    ]  # lasts while open; gives when it began [s, steady]
    promise: Promise  # what bounds the time to rest (`promises.py`); empty: the arm may go on
    says: str  # what safety or mpc must give as the reason; empty: nothing need be said
    lasts: float = 1.0  # [s]
    latched: bool = False  # a person must reset and arm
    starves: bool = False  # no time is promised


FAULTS = (
    Fault("camera_stops", "no picture comes", changed(messages.dropped, "camera"), "camera", "came"),
    Fault("camera_frozen", "the same picture with new stamps", changed(messages.frozen, "camera"), "", "frozen"),
    Fault("camera_stuck", "the same message, stamp and all", changed(messages.stuck, "camera"), "camera", "stamped"),
    Fault("camera_black", "black pictures", changed(messages.black, "camera"), "camera", "black"),
    Fault("camera_size", "pictures of twice the size", changed(messages.doubled, "camera"), "camera", "320x240"),
    Fault("joints_stop", "no joint state comes", changed(messages.dropped, "joints"), "joints", "joint states are stale"),
    Fault("joints_nan", "one joint is NaN", changed(messages.nan, "joints"), "joints", "joint states are stale"),
    Fault("joints_stuck", "the same message, stamp and all", changed(messages.stuck, "joints"), "joints", "joint states are stale"),
    Fault("joints_jump", "one joint is 0.5 rad off", changed(messages.jumped, "joints"), "at once", "jumped", latched=True),
    Fault("joints_reordered", "other order, names with them", changed(messages.reordered, "joints"), "", ""),
    Fault("joints_mixed_up", "other order, names stay", changed(messages.mixed_up, "joints"), "at once", "jumped", latched=True),
    Fault("clock_forth", "all clocks jump 10 s forth, then back", messages.shifted(10.0, stamps=True), "", ""),
    Fault("clock_back", "all clocks jump 10 s back, then forth", messages.shifted(-10.0, stamps=True), "", ""),
    Fault("clock_apart", "the nodes' clock alone jumps 10 s forth, then back", messages.shifted(10.0, stamps=False), "joints", "joint states are stale"),
    Fault("messages_late", "all messages come 0.4 s late", changed(messages.late(0.4), *ALL), "joints", "joint states are stale"),
    Fault("messages_thrice", "all messages come three times", changed(messages.thrice, *ALL), "", ""),
    Fault("messages_swapped", "of any two messages the later comes first", changed(messages.swapped, *ALL), "", ""),
    Fault("messages_lost", "30 % of all messages are lost", changed(messages.lost, *ALL), "", "", lasts=2.0),
    Fault("mpc_killed", "SIGKILL; then started again", breakages.killed, "plans", "plan is stale"),
    Fault("mpc_hung", "SIGSTOP; then SIGCONT", breakages.hung("mpc"), "plans", "plan is stale"),
    Fault("mpc_memory", "mpc can get no memory", breakages.out_of_memory, "planner", "MemoryError"),
    Fault("planner_nan", "the planner returns NaN", breakages.planner_nan, "planner", "NaN"),
    Fault("onnx_truncated", "a graph of the bundle is cut short while mpc runs; then it is configured anew", breakages.bundle_changed(lambda data: data[: len(data) // 2]), "plans", "coda.onnx does not match"),
    Fault("onnx_swapped", "a graph of the bundle is exchanged while mpc runs; then it is configured anew", breakages.bundle_changed(lambda data: data[::-1]), "plans", "coda.onnx does not match"),
    Fault("disk_full", "no room for the trace of mpc", breakages.disk_full, "", "lines wait"),
    Fault("cpu_starved", "two busy processes for each core", breakages.starved, "", "", starves=True, lasts=2.0),
    Fault("safety_hung", "SIGSTOP for 0.3 s; then SIGCONT", breakages.hung("safety"), "", "", lasts=0.3),
    Fault("two_mpc", "a second mpc node", breakages.two_planners, "at once", "publish on /mpc/plan", latched=True),
    Fault("second_commander", "another publisher on the controller's topic", breakages.second_commander, "at once", "commands the arm, too", latched=True),
    Fault("flood_joints", "a peer floods the joint states", breakages.flooded("/joint_states"), "at once", "is flooded", latched=True, starves=True),
    Fault("flood_plans", "a peer floods the plans", breakages.flooded(PLAN_TOPIC), "at once", PLAN_TOPIC, latched=True, starves=True),
    Fault("flood_camera", "a peer floods the pictures, with what are none", breakages.flooded(topics.COMPRESSED), "", "", starves=True),
)  # fmt: skip
