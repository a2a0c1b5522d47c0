"""The real `mpc` and `safety` nodes, with switches: `python -m benchmarks.faults.breakable NODE`.

A clock that jumps is made here, for the machine's own cannot be set. `safety` also writes down each servo
period, where its commands leave, so that no reader can miss one.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage

from benchmarks.faults.changes import PLANS
from benchmarks.faults.relay import Passage
from benchmarks.faults.switches import GREED, VARIABLE, Planner, Plans, Switches
from loopwm_ros.nodes import spin
from loopwm_ros.nodes.checked import checked
from loopwm_ros.nodes.json_lines import LineWriter
from loopwm_ros.nodes.mpc import MpcNode
from loopwm_ros.nodes.mpc_parameters import MpcParameters
from loopwm_ros.nodes.mpc_topics import PLAN_TOPIC
from loopwm_ros.nodes.safety import SafetyNode
from loopwm_ros.nodes.safety_parameters import SafetyParameters
from loopwm_ros.planning.base import Objective
from loopwm_ros.planning.base import Planner as PlannerProtocol
from loopwm_ros.types import F32, Plan

SENT = "LOOPWM_FAULT_SENT"  # path of the file that safety writes


def switches() -> Switches:
    """Those of this process."""
    return Switches(Path(os.environ[VARIABLE]))


class BreakablePlanner:
    """Another planner, until it is switched."""

    def __init__(self, planner: PlannerProtocol, switched: Switches) -> None:
        self._planner, self._switched = planner, switched

    def reset(self, seed: int) -> None:
        """As the planner's."""
        self._planner.reset(seed)

    def plan(self, state: F32, objective: Objective, elapsed: int, deadline: float | None) -> Plan:
        """The planner's plan, unless it is broken."""
        made = self._planner.plan(state, objective, elapsed, deadline)
        if self._switched.planner is Planner.GREEDY:
            np.ones(GREED, dtype=np.uint8)
        nan = self._switched.planner is Planner.NAN
        return replace(made, actions=np.full_like(made.actions, np.nan)) if nan else made


class BreakableMpc(MpcNode):
    """The mpc node with switches."""

    def __init__(self) -> None:
        self._switched = switches()
        super().__init__()

    def _configure(self) -> None:
        super()._configure()
        horizon = self._running()._mpc.horizon
        horizon._planner = BreakablePlanner(horizon._planner, self._switched)

    def _now(self) -> float:
        return super()._now() + self._switched.clock


class BreakableSafety(SafetyNode):
    """The safety node with switches, and a record."""

    def __init__(self) -> None:
        self._switched, self._sent = switches(), LineWriter(Path(os.environ[SENT]))
        self._passage, self._plans = Passage(checked(self, PLAN_TOPIC, super()._on_plan)), Plans.WELL
        super().__init__()

    def _now(self) -> float:
        return super()._now() + self._switched.clock

    def _on_plan(self, message: TrajectoryMessage) -> None:
        if self._plans is not self._switched.plans:
            self._plans = self._switched.plans
            self._passage.change = PLANS[self._plans]()
        self._passage.take(message)

    def _on_servo(self) -> None:
        self._passage.tick()
        super()._on_servo()
        position = self._output.position
        self._sent.put(
            {
                "at": time.perf_counter(),
                "position": None if position is None else position.tolist(),
                "state": self._output.state.value,
                "reasons": self._output.reasons,
            }
        )


def main() -> int:
    """Run the node that the first argument names."""
    if sys.argv.pop(1) == "mpc":
        return spin.run("mpc", BreakableMpc, MpcParameters, shared_memory=False)
    return spin.run("safety", BreakableSafety, SafetyParameters, shared_memory=False)


if __name__ == "__main__":
    sys.exit(main())
