"""When the arm is at rest at the latest, from the settings of the nodes."""

from __future__ import annotations

from benchmarks.faults.catalogue import Promise
from loopwm_ros.config import ArmConfig
from loopwm_ros.control.jerk_limited import JerkLimited
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.receding_horizon import COMMITTED
from loopwm_ros.nodes import heartbeats, inlets
from loopwm_ros.nodes.mpc_parameters import MpcParameters
from loopwm_ros.nodes.safety_parameters import SafetyParameters


def promised(promise: Promise, arm: ArmConfig, slot: float) -> float | None:
    """From the first thing that is wrong to rest [s]; `slot` is the model's period [s]. None: no promise."""
    safety, mpc = SafetyParameters(), MpcParameters()
    servo = 1.0 / safety.servo_rate
    stop = servo + JerkLimited(Kinematics(arm), servo).longest_stop()
    tail = slot + COMMITTED * slot + stop  # of the plan that was made last
    times = {
        "joints": safety.joint_timeout + stop,
        "plans": safety.plan_timeout + stop,
        "camera": mpc.sensor_timeout + mpc.control_period + tail,
        "planner": slot + tail,
        "at once": heartbeats.PERIOD + stop,
        "flood": 2.0 * inlets.WINDOW + stop,  # it may begin in the midst of one
    }
    return times.get(promise)
