"""A cell of real nodes, each a process: stand-in arm, mpc, safety, and relays between them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PointStamped
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool, Trigger

from benchmarks.faults.breakable import SENT
from benchmarks.faults.record import Record
from benchmarks.faults.relay import Relay
from benchmarks.faults.switches import SIGNALS, VARIABLE, Signals, Switches
from loopwm_ros.config import load_arm, share_dir
from loopwm_ros.data import topics
from loopwm_ros.messages import stamp_seconds
from loopwm_ros.nodes import goal_topics, heartbeats, processes
from loopwm_ros.nodes.heartbeats import Heard
from loopwm_ros.nodes.processes import Child
from loopwm_ros.nodes.qos import COMMAND, LATCHED, REPORT, SENSOR_SOURCE
from loopwm_ros.nodes.ros_client import RosClient
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.nodes.safety_parameters import SafetyParameters
from loopwm_ros.nodes.service_calls import ACTIVATE, CLEANUP, CONFIGURE, DEACTIVATE

ROOT = Path(__file__).resolve().parents[2]
ARM = load_arm("panda")
BUNDLE = share_dir() / "models" / "panda_reach"
JOINTS, IMAGE, COMMANDS = "/driver/joint_states", "/driver/image", "/driver/commands"
LIGHT = {"candidates": 32, "refinements": 1, "loops": 1, "gap_steps": 0}  # faults are no matter of good plans
ENDS = (np.array([0.45, -0.25, 0.25]), np.array([0.45, 0.25, 0.25]))  # the tool swings between them [m]
BRISK = 0.12  # of the fastest joint, while it swings [rad/s]
TURN = 1.0  # from one turn to the next, before the tool is at the end [s]
PATIENCE = 30.0  # [s]


class Scene:
    """Everything that a fault may be put into."""

    def __init__(self, variables: Mapping[str, str], folder: Path) -> None:
        """Start all in the ROS graph of `variables`, and arm."""
        self.folder, self._make = folder, message_factory()
        self.signals = Signals(folder / "signals")
        files = {VARIABLE: "switches", SENT: "sent.jsonl", SIGNALS: "signals"}
        own = {variable: str(folder / name) for variable, name in files.items()}
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.environment = {**variables, **own, "PYTHONPATH": paths}
        self.bundle, self.trace = folder / "bundle", folder / "trace.jsonl"
        shutil.copytree(BUNDLE, self.bundle)
        self.children: dict[str, Child] = {}
        self.switches = Switches(folder / "switches")
        self._stack = ExitStack()
        self._stack.callback(lambda: processes.stop(list(self.children.values())))
        self.start("standin")
        self.start("safety")
        self.start("mpc")
        self.ros = RosClient("faults", lambda: None)
        self._stack.callback(self.ros.close)
        self.mpc = Heard(heartbeats.MPC_TOPIC)
        self.ros.node.create_subscription(DiagnosticStatus, self.mpc.topic, self.mpc.hear, COMMAND)
        self._said: dict[str, str] = {}
        self.ros.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, REPORT)
        self._connect()
        self.record = Record(folder / "sent.jsonl", ARM, SafetyParameters().servo_rate)
        self.joints.heard = self._on_joints
        self._end = 0
        self.refusal = ""  # why the arm could not be armed
        self.plan()
        self.arm()

    def close(self) -> None:
        """End all."""
        self._stack.close()

    def _connect(self) -> None:
        node, names = self.ros.node, ARM.topics
        self.joints = Relay(node, JointStateMessage, JOINTS, names.joint_states, SENSOR_SOURCE)
        self.camera = Relay(node, CompressedImage, IMAGE, topics.COMPRESSED, SENSOR_SOURCE)
        self.commands = Relay(node, Float64MultiArray, names.command, COMMANDS, COMMAND)
        self._goal = node.create_publisher(PointStamped, goal_topics.POSITION, LATCHED)

    def start(self, name: str, child: str = "") -> Child:
        """Start a node of this name as `child`; empty: as its own name."""
        values: dict[str, dict[str, object]] = {
            "standin": {"arm": ARM.name, "task": "reach", "world": "nominal"},
            "safety": {"arm": ARM.name},
            "mpc": {
                "bundle": str(self.bundle),
                "arm": ARM.name,
                "goal_source": "position",
                "trace_path": str(self.trace),
                **LIGHT,
            },
        }
        remappings = {
            "standin": {
                ARM.topics.joint_states: JOINTS,
                topics.COMPRESSED: IMAGE,
                ARM.topics.command: COMMANDS,
            },
        }
        module = () if name == "standin" else ("benchmarks.faults.breakable", name)
        logs = self.folder / (child or name)
        logs.mkdir(exist_ok=True)
        self.children[child or name] = started = processes.start(
            name,
            values[name],
            self.environment,
            logs,
            module=module,
            remappings=remappings.get(name),
        )
        return started

    def pid(self, name: str) -> int:
        """Process id of a node."""
        return self.children[name].process.pid

    def until(self, done: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Run callbacks until `done`.

        Raises:
            ProcessError: `what` took longer than `patience` [s].
        """
        self.ros.wait(lambda: bool(self.record.read() or done()), patience, what)

    def run_for(self, seconds: float) -> None:
        """Let things happen."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end, "a pause", seconds + PATIENCE)

    def plan(self) -> None:
        """Configure and activate mpc."""
        self.until(lambda: self.transition(CONFIGURE), "mpc to configure")
        self.until(lambda: self.transition(ACTIVATE), "mpc to activate")

    def clean_up(self) -> None:
        """Take mpc back to unconfigured."""
        self.transition(DEACTIVATE)
        self.transition(CLEANUP)

    def transition(self, number: int) -> bool:
        """Ask mpc for a transition; False if it refuses."""
        return self.ros.services.transition("mpc", number, PATIENCE)

    def service(self, name: str) -> None:
        """Call a Trigger of the safety node."""
        self.ros.services.call(Trigger, f"/safety/{name}", PATIENCE)

    def arm(self) -> None:
        """Let the arm move."""
        self.until(self.arms, "arming")

    def accept(self) -> None:
        """Wait for a fault, reset it and arm again: what caused it is there, and meant."""
        self.until(lambda: self.record.sent[-1].state == "fault", "a fault")
        self.service("reset")
        self.arm()

    def arms(self) -> bool:
        """Try to arm; False if that is refused."""
        answer = self.ros.services.call(SetBool, "/safety/arm", PATIENCE, data=True)
        self.refusal = "" if answer.success else answer.message
        return bool(answer.success)

    def give_goal(self) -> None:
        """Send the tool to the other end of its swing."""
        self._end = 1 - self._end
        self._goal.publish(self._make.point(0.0, ENDS[self._end], ARM.base_frame))

    def swing(self, patience: float = PATIENCE) -> None:
        """Go to the other end; returns in motion.

        Raises:
            ProcessError: the arm does not move.
        """
        self.give_goal()
        since = time.perf_counter()
        self.until(lambda: self.record.speed(since) > BRISK, "the arm to move", patience)
        self.run_for(0.2)

    def swing_until(self, done: Callable[[], bool], what: str) -> None:
        """Swing to and fro until `done`; raises as `until`."""
        end = time.monotonic() + PATIENCE
        while not done() and time.monotonic() < end:
            self.give_goal()
            turn = time.monotonic() + TURN
            self.until(lambda turn=turn: done() or time.monotonic() > turn, what)
        self.until(done, what, patience=0.0)

    def said(self, name: str) -> str:
        """What a node last said in diagnostics."""
        return self._said.get(name, "")

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self._said.update({status.name: status.message for status in message.status})

    def _on_joints(self, message: JointStateMessage) -> None:
        order = [message.name.index(name) for name in ARM.joints]
        self.record.measure(stamp_seconds(message.header.stamp), np.array(message.position)[order])
