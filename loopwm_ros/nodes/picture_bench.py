"""What the mpc node's way of reading pictures costs, apart from the model: for `loopwm bench camera`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
from rclpy.clock import Clock
from rclpy.clock_type import ClockType

from loopwm_ros.bench.results import CameraRow
from loopwm_ros.config import ArmConfig
from loopwm_ros.control.picture_check import PictureCheck
from loopwm_ros.control.synchroniser import Synchroniser
from loopwm_ros.data import topics
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.nodes import picture_source, processes
from loopwm_ros.nodes.inlets import InletNode
from loopwm_ros.nodes.joined_graph import joined_graph
from loopwm_ros.nodes.mpc_inputs import MpcInputs
from loopwm_ros.nodes.processes import Child
from loopwm_ros.nodes.sensor_inbox import SensorInbox
from loopwm_ros.nodes.spin import new_executor
from loopwm_ros.processing.images import prepare_image
from loopwm_ros.types import CameraFrame, JointState

SETTLING = 1.0  # [s] from the first picture on, before anything is counted
PATIENCE = 20.0  # [s] for the first picture
NEAR = math.inf  # [s]: joints are not measured here, and one state goes with every picture


class _Counted(SensorInbox):
    """Counts the pictures that it is given."""

    pictures = 0

    def put_frame(self, read: Callable[[], CameraFrame], arrival: float) -> None:
        super().put_frame(read, arrival)
        self.pictures += 1


class _Reader(InletNode):
    """Reads as mpc does, and takes a picture for each plan, as its planning thread does."""

    def __init__(self, arm: ArmConfig, spec: ModelSpec, size: tuple[int, int], transport: str) -> None:
        super().__init__("mpc")
        steady, self._spec = Clock(clock_type=ClockType.STEADY_TIME), spec
        self.prepared, topic = 0, topics.TRANSPORTS[transport]
        seen = Synchroniser(size, tolerance=NEAR)
        self.inbox = _Counted(seen, NEAR, arm.topics.joint_states, topic, PictureCheck())
        joints = JointState(0.0, np.zeros(len(arm.joints)), np.zeros(len(arm.joints)))
        self.inbox.put_joints(lambda: joints, 0.0)
        self._inputs = MpcInputs(self, arm, topic, self.inbox, None)
        self.poll_every(self.poll_period, steady)
        self.create_timer(spec.model_period, self._plan, clock=steady)

    def _plan(self) -> None:
        observation = self.inbox.take().observation
        if observation is not None:
            prepare_image(self._spec, observation.rgb)
            self.prepared += 1


def read_pictures(
    arm: ArmConfig, spec: ModelSpec, size: tuple[int, int], rate: float, transport: str, seconds: float
) -> CameraRow:
    """Processor time of a process that reads `rate` pictures [Hz] of `size` (width, height) [px].

    Raises:
        ProcessError: the source ended, or no picture came.
    """
    with joined_graph() as (folder, variables), ExitStack() as stack:
        reader, executor = _Reader(arm, spec, size, transport), new_executor()
        executor.add_node(reader)
        stack.callback(reader.destroy_node)
        stack.callback(executor.shutdown)

        def spent(duration: float) -> float:
            began, end = time.process_time(), time.monotonic() + duration
            while (left := end - time.monotonic()) > 0:
                executor.spin_once(timeout_sec=left)
            return time.process_time() - began

        spent(SETTLING)
        idle = spent(seconds)
        width, height = size
        values = {"width": width, "height": height, "rate": rate, "image_transport": transport}
        source = processes.start(picture_source.NAME, values, variables, folder)
        stack.callback(processes.stop, [source])
        _first(reader, lambda: spent(0.1), source)
        spent(SETTLING)
        before, prepared = reader.inbox.pictures, reader.prepared
        busy = spent(seconds)
        return CameraRow(
            transport=transport,
            width=width,
            height=height,
            rate=rate,
            read=round((reader.inbox.pictures - before) / seconds, 2),
            prepared=round((reader.prepared - prepared) / seconds, 2),
            cores=round((busy - idle) / seconds, 4),
            idle_cores=round(idle / seconds, 4),
        )


def _first(reader: _Reader, wait: Callable[[], object], source: Child) -> None:
    end = time.monotonic() + PATIENCE
    while not reader.inbox.pictures:
        processes.check_alive([source])
        if time.monotonic() > end:
            raise processes.ProcessError(f"no picture came within {PATIENCE:g} s")
        wait()
