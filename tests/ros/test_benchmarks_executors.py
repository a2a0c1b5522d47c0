"""The node that executors are compared with is served alike, polled or called back."""

from __future__ import annotations

import numpy as np
import pytest
from sensor_msgs.msg import JointState as JointStateMessage

from benchmarks.executors.reader import Reader, planning
from loopwm_ros.config import load_arm
from loopwm_ros.nodes.qos import SENSOR_SOURCE
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.types import JointState

ARM = load_arm("panda_rod")


@pytest.mark.parametrize("polled", [True, False])
def test_joints_reach_the_computing_thread_and_the_timer_is_served(bench, polled) -> None:
    reader, make = bench.add(Reader(ARM, polled)), message_factory()
    publisher = bench.node.create_publisher(JointStateMessage, ARM.topics.joint_states, SENSOR_SOURCE)
    stamps = iter(np.arange(1.0, 1e6))

    def send() -> None:
        still = np.zeros(len(ARM.joints))
        publisher.publish(make.joint_state(JointState(next(stamps), still, still), ARM.joints))

    with planning(reader.inbox) as taken:
        bench.until(lambda: send() or (sum(taken) >= 3 and len(reader.served) >= 3))
    assert (reader._polling is not None) is polled
