"""Model-predictive control as a lifecycle node: camera and joints in, joint trajectories out."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.task import Future
from rclpy.timer import Timer
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage
from visualization_msgs.msg import MarkerArray

from loopwm_ros.control.receding_horizon import PlanReport
from loopwm_ros.errors import ConfigError, LoopWMError, SensorError
from loopwm_ros.nodes import diagnostics, goal_topics, heartbeats, params, spin
from loopwm_ros.nodes.checked import Sparing
from loopwm_ros.nodes.diagnostics import Level
from loopwm_ros.nodes.goal_inputs import GoalInputs
from loopwm_ros.nodes.inlets import Inlet, InletNode
from loopwm_ros.nodes.markers import imagined_markers
from loopwm_ros.nodes.mpc_engine import MpcEngine
from loopwm_ros.nodes.mpc_inputs import MpcInputs
from loopwm_ros.nodes.mpc_parameters import MpcParameters
from loopwm_ros.nodes.mpc_topics import IMAGINED_TOPIC, PLAN_TOPIC
from loopwm_ros.nodes.prediction_topics import PredictionTopics
from loopwm_ros.nodes.qos import COMMAND, REPORT
from loopwm_ros.nodes.ros_messages import message_factory

NAME = "mpc"


class MpcNode(InletNode, LifecycleNode):
    """Loads and warms up in *configure*, plans in *active* only, stops the arm smoothly on *deactivate*."""

    def __init__(self, overrides: Sequence[Parameter[Any]] = ()) -> None:
        """Start the node; `overrides` win over parameters from the command line."""
        self._resources = ExitStack()
        super().__init__(NAME, parameter_overrides=list(overrides))
        params.declare(self, MpcParameters)
        params.guard(self, MpcParameters, self._locked)
        self._engine: MpcEngine | None = None
        self._inputs: MpcInputs | None = None
        self._goal_inputs: GoalInputs | None = None
        self._timer: Timer | None = None
        self._activations = 0
        self._problem = self._goal_trouble = self._bundle = self._rate = ""
        self._make, self._log = message_factory(), Sparing(self)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_service(Trigger, goal_topics.CAPTURE, self._on_capture)
        self._plans = self.create_lifecycle_publisher(TrajectoryMessage, PLAN_TOPIC, COMMAND)
        self._imagined = self.create_publisher(MarkerArray, IMAGINED_TOPIC, REPORT)
        self._predictions = PredictionTopics(self, self._make)
        self._report = self.create_publisher(DiagnosticArray, diagnostics.TOPIC, REPORT)
        self._beat = self.create_publisher(DiagnosticStatus, heartbeats.MPC_TOPIC, COMMAND)
        self._safety = heartbeats.Heard(heartbeats.SAFETY_TOPIC)
        Inlet(self, DiagnosticStatus, self._safety.topic, self._safety.hear, COMMAND)
        self.poll_every(self.rest_period, self._steady)
        self.create_timer(diagnostics.PERIOD, self._on_heartbeat, clock=self._steady)
        self.create_timer(heartbeats.PERIOD, self._on_beat, clock=self._steady)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and verify the bundle, open and warm up its sessions, subscribe."""
        return self._attempt("configure", self._configure, super().on_configure, state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to plan, from joints and images that are fresh and valid."""
        return self._attempt("activate", self._activate, super().on_activate, state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop smoothly; the safety node then holds the arm."""
        return self._attempt("deactivate", self._deactivate, super().on_deactivate, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model and the subscriptions."""
        return self._attempt("clean up", self._release, super().on_cleanup, state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As cleanup, from any state."""
        return self._attempt("shut down", self._release, super().on_shutdown, state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured, so that the cause can be mended and the node configured again."""
        self._release()
        return super().on_error(state)

    def _attempt(
        self,
        what: str,
        action: Callable[[], None],
        managed: Callable[[LifecycleState], TransitionCallbackReturn],
        state: LifecycleState,
    ) -> TransitionCallbackReturn:
        """Do it and pass on to the lifecycle publishers; log one clear error if it cannot be done."""
        try:
            action()
        except LoopWMError as error:
            self._problem = f"cannot {what}: {error}"
            self.get_logger().error(self._problem)
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # noqa: BLE001  (rclpy would swallow it without a word)
            self._problem = f"cannot {what}: {error!r}"
            self.get_logger().error(f"{traceback.format_exc()}\n{self._problem}")
            return TransitionCallbackReturn.ERROR
        self._problem = ""
        return managed(state)

    def _configure(self) -> None:
        parameters = params.read(self, MpcParameters)
        self._engine = engine = MpcEngine(parameters, self._on_plan, Sparing(self).error)
        self._resources.callback(engine.close)
        self._activations, self._bundle = 0, engine.bundle_sha256
        self._rate = f"{1.0 / parameters.control_period:.6g}"
        if engine.note:
            self.get_logger().info(engine.note)
        if engine.camera.unused:
            self.get_logger().warning(engine.camera.unused)
        self._inputs = MpcInputs(self, engine.arm, engine.image_topic, engine.inbox, engine.camera.check)
        self._goal_inputs = GoalInputs(self, engine.arm, engine.goals)
        spin.settle()

    def _activate(self) -> None:
        engine = self._running()
        seed = self.get_parameter("seed").value + self._activations
        self.poll()
        engine.start(self._clocks, seed)
        self._activations += 1
        period = self.get_parameter("control_period").value
        self._timer = self.create_timer(period, self._on_timer, clock=self._steady)
        self.poll_every(self.poll_period, self._steady)

    def _deactivate(self) -> None:
        if self._timer is not None:
            self.destroy_timer(self._timer)
            self._timer = None
            self.poll_every(self.rest_period, self._steady)
            stop = self._running().stop(self._now())
            self._plans.publish(self._make.trajectory(stop, self._running().arm.joints))
            self._running().record.flush()
        self._on_heartbeat()

    def _release(self) -> None:
        self._deactivate()
        for inputs in (self._inputs, self._goal_inputs):
            if inputs is not None:
                inputs.close()
        self._resources.close()
        self._inputs = self._goal_inputs = self._engine = None
        self._bundle = self._rate = ""

    def _locked(self) -> str | None:
        return None if self._engine is None else "the node is configured; clean it up first"

    def _running(self) -> MpcEngine:
        assert self._engine is not None
        return self._engine

    def _now(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    def _clocks(self) -> tuple[float, float]:
        """The steady clock and ROS time [s]."""
        return time.perf_counter(), self._now()

    def _on_timer(self) -> None:
        if self._timer is None:  # an event that was queued before the node was deactivated
            return
        engine = self._running()
        cycle = engine.tick(*self._clocks())
        if cycle is None:
            return
        self._plans.publish(self._make.trajectory(cycle.trajectory, engine.arm.joints))
        try:
            if self._safety.known and not self._safety.alive:
                raise SensorError("safety is silent on /safety/state: nothing new is planned; is it running?")
            engine.published(cycle, *self._clocks())
            self._problem = ""
        except SensorError as error:
            self._problem = str(error)
            self._log.error(self._problem)

    def _on_plan(self, report: PlanReport) -> None:
        """Runs in the planning thread."""
        engine = self._running()
        self._predictions.send(report, engine.arm.base_frame)
        if report.plan is None or not self._imagined.get_subscription_count():
            return
        stamp = self._make.time(report.slot + engine.model_period)
        paths = {name: report.plan.imagined[:, xyz] for name, xyz in engine.moving.items()}
        self._imagined.publish(imagined_markers(stamp, engine.arm.base_frame, paths, report.goal))

    async def _on_capture(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """The image that the camera shows now is the goal; answers when the encoder has looked at it."""
        try:
            if self._engine is None:
                raise ConfigError("the node is not configured")
            looked: Future[str] = Future()
            goals, inbox = self._engine.goals, self._engine.inbox
            self.poll()
            observation = goals.capture(lambda: inbox.latest(*self._clocks()), looked.set_result)
            response.message = await looked or ""
            if not response.message:
                file = goals.keep(observation)
                response.success, response.message = True, f"goal taken{file and f', kept in {file}'}"
        except LoopWMError as error:
            response.message = str(error)
        return response

    def _on_beat(self) -> None:
        """Tell the safety node that this one lives, and with which model."""
        told = {heartbeats.BUNDLE: self._bundle, heartbeats.RATE: self._rate}
        self._beat.publish(heartbeats.beat(NAME, self._state, **told))

    @property
    def _state(self) -> str:
        active = self._timer is not None
        return "active" if active else "unconfigured" if self._engine is None else "inactive"

    def _on_heartbeat(self) -> None:
        state, active = self._state, self._timer is not None
        self.reopen()
        goal, arm, trace, values = "", "", "", {}
        if self._goal_inputs is not None:
            self._goal_inputs.check()
        if self._engine is not None:
            arm, goals = self._engine.arm.name, self._engine.goals.inbox
            goal, values = goals.trouble(active), {**self._engine.record.values(), **goals.values()}
            trace = values["trace_problem"]
        if goal and goal != self._goal_trouble:
            self.get_logger().warning(goal)
        self._goal_trouble = goal
        level = Level.ERROR if self._problem else Level.WARN if goal or trace else Level.OK
        stamp = self.get_clock().now().to_msg()
        text = self._problem or ", ".join(filter(None, (state, goal, trace)))
        self._report.publish(diagnostics.heartbeat(stamp, NAME, arm, level, text, {"state": state, **values}))

    def destroy_node(self) -> None:
        """Stop the planning thread first: it publishes."""
        self._resources.close()
        super().destroy_node()


def main() -> int:
    """Run the mpc node until interrupted.

    It may be killed, and would leave locks in shared memory; only raw pictures are too large without that.
    """
    raw = spin.given(sys.argv, NAME, "image_transport") == "raw"
    return spin.run(NAME, MpcNode, MpcParameters, shared_memory=raw)


if __name__ == "__main__":
    sys.exit(main())
