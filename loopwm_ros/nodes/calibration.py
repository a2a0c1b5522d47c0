"""Watches, off the control path, that the camera is where it was calibrated; `safety` arms only then."""

from __future__ import annotations

import sys
import time
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
from loopwm_ros.nodes.calibration_checks import BOARD, Calibrated
from loopwm_ros.nodes.calibration_inputs import CalibrationInputs
from loopwm_ros.nodes.calibration_parameters import CalibrationParameters
from loopwm_ros.nodes.diagnostics import Level
from loopwm_ros.nodes.inlets import InletNode
from loopwm_ros.nodes.qos import COMMAND, REPORT

NAME = "calibration"
_LEVELS = {"ok": Level.OK, "block": Level.ERROR}


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
        self._before = ""
        self._report = self.create_publisher(DiagnosticArray, diagnostics.TOPIC, REPORT)
        self._beat = self.create_publisher(DiagnosticStatus, heartbeats.CALIBRATION_TOPIC, COMMAND)
        self.create_service(Trigger, "~/reset", self._on_reset)
        self.create_service(Trigger, "~/take_reference", self._on_take)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(self.poll_period, self.poll, clock=steady)
        self.create_timer(settings.look_period, self._on_look, clock=steady)
        self.create_timer(heartbeats.PERIOD, self._on_beat, clock=steady)
        self.create_timer(diagnostics.PERIOD, self._on_report, clock=steady)

    def _on_look(self) -> None:
        if self._looking is not None and not self._looking.done():
            return
        if self._looking is not None:
            self._looking.result()  # a mistake of ours ends the node; safety then finds it silent
        try:
            observation = self._inputs.observation(self._settings.still)
        except SensorError as error:
            self._trouble = str(error)
            return
        self._trouble = ""
        self._looking = self._worker.submit(self._watch.look, observation, time.perf_counter())

    def _standing(self) -> Standing:
        """What is known, with what keeps the node from looking."""
        found, doubt = self._watch.standing(time.perf_counter()), self._inputs.doubt
        if doubt:
            return replace(found, state="block", words=doubt)
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
        if found.state != self._before and found.state in ("warn", "block"):
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
        response.success, response.message = True, self._standing().state
        return response

    def _on_take(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """The scene as it is now is the reference; not while the board, or CameraInfo, says otherwise."""
        self._wait()
        try:
            if self._inputs.doubt:
                raise SensorError(self._inputs.doubt)
            if self._watch.state(BOARD, time.perf_counter()) in ("warn", "block"):
                raise SensorError(f"the camera has moved, calibrate first: {self._standing().words}")
            observation = self._inputs.observation(self._settings.still, again=True)
            response.message = f"kept in {self._calibrated.take_reference(observation)}"
            response.success = True
        except LoopWMError as error:
            response.message = str(error)
        return response

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
