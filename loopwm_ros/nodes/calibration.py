"""Watches, off the control path, that the camera is where it was calibrated; `safety` arms only then."""

from __future__ import annotations

import math
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from loopwm_ros.calibration.drift_watch import Standing
from loopwm_ros.errors import LoopWMError, SensorError
from loopwm_ros.nodes import diagnostics, heartbeats, params, spin
from loopwm_ros.nodes.calibration_checks import BOARD, SCENE, Calibrated
from loopwm_ros.nodes.calibration_inputs import CalibrationInputs
from loopwm_ros.nodes.calibration_parameters import CalibrationParameters
from loopwm_ros.nodes.diagnostics import Level
from loopwm_ros.nodes.inlets import InletNode
from loopwm_ros.nodes.qos import COMMAND, REPORT
from loopwm_ros.types import Observation

NAME = "calibration"
RENEWAL = 60.0  # [s] after ~/reset in which a scene that looks moved may become the reference
_LEVELS = {"ok": Level.OK, "block": Level.ERROR}
_MOVED = ("warn", "block")


class CalibrationNode(InletNode):
    """`DriftWatch` on ROS topics. It looks in a thread of its own: heartbeats do not wait for a look."""

    def __init__(self, overrides: Sequence[Parameter[Any]] = ()) -> None:
        """Start the node; `overrides` win over parameters from the command line.

        Raises:
            LoopWMError: parameters or files are not usable, or do not belong together.
        """
        super().__init__(NAME, parameter_overrides=list(overrides))
        params.declare(self, CalibrationParameters)
        self._settings = settings = params.read(self, CalibrationParameters)
        self._calibrated = calibrated = Calibrated(settings)
        params.guard(self, CalibrationParameters, lambda: "all is fixed when the calibration node starts")
        self._watch, self._arm = calibrated.watch, calibrated.arm
        size = calibrated.camera.width, calibrated.camera.height
        self._inputs = CalibrationInputs(
            self, self._arm, settings.image_transport, size, calibrated.time_offset, calibrated.info
        )
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="looking")
        self._looking: Future[None] | None = None
        self._trouble = ""  # why there was nothing to look at, the last time
        self._mistake = ""  # of ours, in the last look
        self._logged: set[str] = set()  # kinds of mistakes
        self._reset_at = -math.inf  # [s]
        self._before = ""
        self._report = self.create_publisher(DiagnosticArray, diagnostics.TOPIC, REPORT)
        self._beat = self.create_publisher(DiagnosticStatus, heartbeats.CALIBRATION_TOPIC, COMMAND)
        self.create_service(Trigger, "~/reset", self._on_reset)
        self.create_service(Trigger, "~/take_reference", self._on_take)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.serve(self.poll_as_needed, steady)
        self.create_timer(settings.look_period, self._on_look, clock=steady)
        self.create_timer(heartbeats.PERIOD, self._on_beat, clock=steady)
        self.create_timer(diagnostics.PERIOD, self._on_report, clock=steady)

    def _on_look(self) -> None:
        if self._looking is not None and not self._looking.done():
            return
        try:
            observation = self._inputs.observation(self._settings.still)
        except SensorError as error:
            self._trouble = str(error)
            return
        self._trouble = ""
        self._looking = self._worker.submit(self._look, observation)

    def _look(self, observation: Observation) -> None:
        """A mistake of ours must not end the node, and with it the launch: the arm may be moving."""
        try:
            self._watch.look(observation, time.perf_counter())
        except Exception as error:  # noqa: BLE001  (said, and safety then does not arm)
            self._mistake = f"a look failed: {error!r}"
            kind = type(error).__name__
            if kind not in self._logged:
                self._logged.add(kind)
                self.get_logger().error(f"{traceback.format_exc()}\n{self._mistake}; it goes on looking")
        else:
            self._mistake = ""

    def _standing(self) -> Standing:
        """What is known, with what keeps the node from looking."""
        found, doubt = self._watch.standing(time.perf_counter()), self._inputs.doubt
        if doubt:
            return replace(found, state="block", words=doubt)
        if self._mistake and found.state != "block":
            return replace(found, state="unknown", words=self._mistake)
        if self._trouble and found.state == "unknown":
            return replace(found, words=f"{found.words}; {self._trouble}")
        return found

    def _on_beat(self) -> None:
        found = self._standing()
        told = {heartbeats.ARM: self._arm.name, heartbeats.WORDS: found.words}
        self._beat.publish(heartbeats.beat(NAME, found.state, self._arm.name, **told))

    def _on_report(self) -> None:
        self.reopen()
        found = self._standing()
        if found.state != self._before and found.state in _MOVED:
            self.get_logger().warning(f"{found.state}: {found.words}")
        self._before = found.state
        values = {"state": found.state, **found.values, "trouble": self._trouble}
        level, text = _LEVELS.get(found.state, Level.WARN), f"{found.state}: {found.words}"
        stamp = self.get_clock().now().to_msg()
        self._report.publish(diagnostics.heartbeat(stamp, NAME, self._arm.name, level, text, values))

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Forget all looks; what is true is seen anew."""
        self._wait()
        self._watch.clear()
        self._reset_at = time.perf_counter()
        response.success, response.message = True, self._standing().state
        return response

    def _on_take(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """The scene as it is now is the reference; not while anything says that the camera has moved."""
        self._wait()
        try:
            self._check_in_place()
            observation = self._inputs.observation(self._settings.still, again=True)
            response.message = f"kept in {self._calibrated.take_reference(observation)}"
            response.success, self._reset_at = True, -math.inf
        except LoopWMError as error:
            response.message = str(error)
        return response

    def _check_in_place(self) -> None:
        """Refuse a view that may not be the calibrated one.

        Raises:
            SensorError: saying why.
        """
        now = time.perf_counter()
        board, scene = (self._watch.state(name, now) for name in (BOARD, SCENE))
        if self._inputs.doubt:
            raise SensorError(self._inputs.doubt)
        if board in _MOVED:
            raise SensorError(f"the camera has moved, calibrate first: {self._standing().words}")
        if scene in _MOVED and board != "ok" and now - self._reset_at > RENEWAL:
            raise SensorError(
                "by the reference that there is the camera has moved: what is seen now may be taken only if "
                "the camera was calibrated again since; if it was, call /calibration/reset first, and this "
                f"within {RENEWAL:.0f} s: {self._standing().words}"
            )

    def _wait(self) -> None:
        """Until the look that goes on is over."""
        if self._looking is not None:
            self._looking.result()

    def destroy_node(self) -> None:
        """End the look that goes on first."""
        self._worker.shutdown(wait=True, cancel_futures=True)
        super().destroy_node()


def main() -> int:
    """Run the calibration node until interrupted."""
    return spin.run(NAME, CalibrationNode, CalibrationParameters)


if __name__ == "__main__":
    sys.exit(main())
