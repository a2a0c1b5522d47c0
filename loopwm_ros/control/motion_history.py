"""How the arm really moved: as it was told to, and where nobody told it anything, as it was measured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from loopwm_ros.control.command_history import CommandHistory
from loopwm_ros.control.joint_history import JointHistory
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.processing.states import action_from_displacement
from loopwm_ros.types import F32, F64, JointState

Planned = Callable[[float], F64]  # time [s], later than the last reference -> joints (n,) that will be sent


class MotionHistory:
    """References and measured joints of the last seconds, and the actions that they amount to.

    In shadow no references are sent, and a teach pendant or a hand may move the arm: then its measured
    motion is the action. One thread at a time.
    """

    def __init__(self, kinematics: Kinematics, spec: ModelSpec) -> None:
        self._kinematics, self._spec = kinematics, spec
        self._sent = CommandHistory(kinematics)
        self._measured = JointHistory()

    def clear(self, stamp: float, position: F64) -> None:
        """Start anew, holding `position` (n,) [rad] since `stamp` [s]."""
        self._sent.clear(stamp, position)
        self._measured.clear()

    def add_command(self, stamp: float, position: F64) -> None:
        """Note a joint reference (n,) [rad] that was really sent."""
        self._sent.add(stamp, position)

    def add_joints(self, joints: JointState) -> None:
        """Note a measured state."""
        self._measured.add(joints)

    @property
    def sent(self) -> tuple[float, F64]:
        """Time [s] and joints (n,) of the last reference, or of the start."""
        last = self._sent.last
        assert last is not None, "clear() comes first"
        return last

    @property
    def known(self) -> tuple[float, float]:
        """From when to when [s] both are known; empty (its end before its start) while one is not."""
        newest = self._measured.newest
        start = max(self._sent.oldest, self._measured.oldest)
        return start, -np.inf if newest is None else newest[0]

    def resting(self, now: float) -> F64 | None:
        """Measured joints (n,) [rad] where nobody commands the arm at `now` [s]; else None."""
        newest = self._measured.newest
        return newest[1] if newest is not None and self._sent.silent(now) else None

    def actions(self, times: F64, now: float, planned: Planned) -> F32:
        """Actions (m - 1, action_dim) between `times` (m,), as far as known at `now` [s].

        A transition with a reference at both ends is what was sent, or what is `planned` to be; any other is
        what was measured, and standing still where that lies ahead.
        """
        tools, told = self._sent.tool_at(times), self._sent.commanded(times)
        last, silent = self.sent[0], self.resting(now) is not None
        for i, at in enumerate(times):
            if at > last:
                told[i] = not silent
                if told[i]:
                    tools[i] = self._kinematics.tool_position(planned(float(at)))
        displacement = np.diff(tools, axis=0)
        untold = ~(told[1:] & told[:-1])
        if untold.any() and self._measured.newest is not None:
            displacement[untold] = np.diff(self.measured_tools(times), axis=0)[untold]
        spec = self._spec
        return action_from_displacement(displacement, spec.action_dim, spec.max_tool_speed, spec.model_period)

    def measured_tools(self, times: F64) -> F64:
        """Tool positions (m, 3) [m] by the measured joints at `times` (m,), held outside what is known."""
        return self._kinematics.tool_positions(self._measured.at(times))
