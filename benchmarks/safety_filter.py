"""Time that one servo period of the safety filter takes, for each arm, on plans and on wild references.

    python benchmarks/safety_filter.py [--periods 4000] [--json docs/results/benchmarks/safety_filter.json]

*Plans* are tool motions such as a planner sends, all over the workspace; *wild* are references that jump, so
that limits bind in almost every period. Arms take turns, period by period, so that a slow moment of the
machine hits all alike.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from loopwm_ros.config import ArmConfig, load_arm
from loopwm_ros.control.jerk_limited import Motion
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.safety_filter import SafetyFilter
from loopwm_ros.control.tool_motion import ToolMotion
from loopwm_ros.control.trajectory import sample_motion
from loopwm_ros.types import F64

ARMS = ("panda_rod", "iiwa", "ur5e", "xarm6")
PERIOD, CONTROL = 1.0 / 80.0, 1.0 / 20.0  # [s]
SPEED, ACCELERATION = 0.25, 1.0  # of planned tool motions [m/s], [m/s^2]


class Plans:
    """References of tool motions to places drawn in the workspace."""

    def __init__(self, arm: ArmConfig, kinematics: Kinematics, rng: np.random.Generator) -> None:
        self._motion = ToolMotion(kinematics, arm, CONTROL, ACCELERATION)
        self._kinematics, self._rng = kinematics, rng
        self._low, self._high = np.asarray(arm.workspace.low), np.asarray(arm.workspace.high)
        self._target: F64 = self._low

    def references(self, safety: SafetyFilter) -> Iterator[Motion]:
        """One for each servo period; a new plan each control period, from where the arm is."""
        for tick in range(2**31):
            if tick % 40 == 0:
                self._target = self._rng.uniform(self._low, self._high)
            way = self._target - self._kinematics.tool_position(safety.position)
            velocity = way * min(1.0 / CONTROL, SPEED / max(1e-9, float(np.linalg.norm(way))))
            now = tick * CONTROL
            plan = self._motion.trajectory(now, safety.position, safety.velocity, np.tile(velocity, (3, 1)))
            yield from (sample_motion(plan, now + (i + 1) * PERIOD) for i in range(round(CONTROL / PERIOD)))


def wild(kinematics: Kinematics, rng: np.random.Generator) -> Iterator[Motion]:
    """References that no planner would send."""
    while True:
        target = rng.uniform(kinematics.lower, kinematics.upper)
        for _ in range(20):
            noise = rng.normal(0.0, 1.0, len(target))
            yield Motion(target, noise, 10.0 * noise)


def main() -> None:
    """Measure and print; write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--periods", type=int, default=4000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    runs = []
    for number, name in enumerate(ARMS):
        arm = load_arm(name)
        kinematics, rng = Kinematics(arm), np.random.default_rng(number)
        for kind in ("plans", "wild"):
            safety = SafetyFilter(kinematics, arm, PERIOD)
            plans = Plans(arm, Kinematics(arm), rng)
            source = plans.references(safety) if kind == "plans" else wild(kinematics, rng)
            runs.append((name, len(arm.joints), kind, safety, source, []))
    for _ in range(arguments.periods):
        for *_, safety, source, times in runs:
            reference = next(source)
            began = time.perf_counter()
            out = safety.step(reference)
            times.append((time.perf_counter() - began, bool(out.altered)))
    rows = [_row(name, joints, kind, times) for name, joints, kind, _, _, times in runs]
    for row in rows:
        print(row)
    if arguments.json:
        content = {"machine": platform.machine(), "periods": arguments.periods, "rows": rows}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _row(arm: str, joints: int, kind: str, times: list[tuple[float, bool]]) -> dict[str, object]:
    milliseconds = np.array([seconds for seconds, _ in times]) * 1e3
    return {
        "arm": arm,
        "joints": joints,
        "references": kind,
        "median_ms": round(float(np.median(milliseconds)), 3),
        "p99_ms": round(float(np.quantile(milliseconds, 0.99)), 3),
        "altered_share": round(float(np.mean([altered for _, altered in times])), 3),
    }


if __name__ == "__main__":
    main()
