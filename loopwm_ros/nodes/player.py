"""Plays a recording's topics with their original timing, as `ros2 bag play` does where it is installed."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from ament_index_python.resources import has_resource
from pydantic import Field
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader

from loopwm_ros.config import Settings
from loopwm_ros.data.bags import STORE, open_bag
from loopwm_ros.data.memory import bounded_memory, budget
from loopwm_ros.errors import BagError
from loopwm_ros.nodes import params, spin
from loopwm_ros.nodes.qos import SENSOR_SOURCE

NAME = "player"
COMMANDS = ("std_msgs/msg/Float64MultiArray", "trajectory_msgs/msg/JointTrajectory")  # what controllers take
MESSAGE = re.compile(r"([a-z][a-z0-9_]*)/msg/([A-Z][A-Za-z0-9]*)")
POLL = 0.02  # [s] between looks for subscribers


class PlayerSettings(Settings):
    """Parameters of the player."""

    bag: str = Field("", description="rosbag2 folder or file to play")
    topics: str = Field(
        "",
        description="comma-separated topics; empty: all of installed types that command no arm",
    )
    speed: float = Field(1.0, ge=0.01, le=100.0, description="times the original speed")
    loop: bool = Field(False, description="start again at the end")
    subscribers: int = Field(0, ge=0, le=100, description="subscriptions of each topic to wait for")


def _open(bag: str) -> Reader:
    if not bag or not Path(bag).exists():
        raise BagError(f"cannot play '{bag}': no such file or folder; set the parameter 'bag'")
    return open_bag(Path(bag))


def _message_type(connection: Connection) -> type[Any]:
    """Class of a topic's messages.

    The name is the recording's, and to import a module is to run it: so only packages of messages are, those
    that every ROS distribution has and those that the workspace's index lists.

    Raises:
        BagError: it is not installed here, or no message type.
    """
    name = connection.msgtype
    found = MESSAGE.fullmatch(name)
    with suppress(ImportError, AttributeError, EnvironmentError):
        if found and (name in STORE.types or has_resource("rosidl_interfaces", found[1])):
            return cast("type[Any]", getattr(import_module(f"{found[1]}.msg"), found[2]))
    raise BagError(f"{connection.topic} left out: no {name} here")


class PlayerNode(Node):
    """Publishes the recording's bytes as they are, from a thread of its own."""

    def __init__(self, overrides: Sequence[Parameter[Any]] = ()) -> None:
        """Start the node; `overrides` win over parameters from the command line."""
        self._resources = ExitStack()
        super().__init__(NAME, parameter_overrides=list(overrides))
        params.declare(self, PlayerSettings)
        self._settings = params.read(self, PlayerSettings)
        params.guard(self, PlayerSettings, lambda: "the recording is being played")
        self._resources.enter_context(bounded_memory(budget()))  # a recording may unpack to any size
        self._reader = _open(self._settings.bag)
        self._resources.callback(self._reader.close)
        self._sources = self._publishers_by_topic()
        self._stopped, self._ended = threading.Event(), threading.Event()
        self._failure = ""  # why the thread could not play on
        self._thread = threading.Thread(target=self._play, name="player", daemon=True)
        self._thread.start()
        self._resources.callback(self._stop)

    def _publishers_by_topic(self) -> dict[str, Publisher[Any]]:
        wanted = {t.strip() for t in self._settings.topics.split(",") if t.strip()}
        if missing := sorted(wanted - set(self._reader.topics)):
            valid = ", ".join(sorted(self._reader.topics))
            raise BagError(f"{self._settings.bag} has no topic {missing[0]}; it has {valid}")
        found = {}
        for connection in self._reader.connections:
            if wanted and connection.topic not in wanted:
                continue
            if not wanted and connection.msgtype in COMMANDS:
                self.get_logger().warning(
                    f"{connection.topic} left out: it may command an arm; name it in 'topics'"
                )
                continue
            try:
                kind = _message_type(connection)
                found[connection.topic] = self.create_publisher(kind, connection.topic, SENSOR_SOURCE)
            except (BagError, InvalidTopicNameException) as error:
                self.get_logger().warning(str(error))
        if not found:
            raise BagError(f"{self._settings.bag} has nothing to play")
        return found

    def _play(self) -> None:
        while not self._stopped.is_set() and not self._matched():
            self._stopped.wait(POLL)
        once = True
        while once or (self._settings.loop and not self._stopped.is_set()):
            once = False
            try:
                self._play_once()
            except Exception as error:  # noqa: BLE001  (parsers raise anything on damaged bytes)
                reason = str(error) or type(error).__name__
                self._failure = f"{self._settings.bag} is damaged and cannot be played on ({reason})"
                break
        else:
            self.get_logger().info("the recording has ended")
        self._ended.set()

    def _matched(self) -> bool:
        counts = [p.get_subscription_count() for p in self._sources.values()]
        return all(count >= self._settings.subscribers for count in counts)

    def _play_once(self) -> None:
        connections = [c for c in self._reader.connections if c.topic in self._sources]
        start, first = time.perf_counter(), self._reader.start_time
        for connection, stamp, data in self._reader.messages(connections=connections):
            due = start + (stamp - first) * 1e-9 / self._settings.speed
            if self._stopped.wait(max(0.0, due - time.perf_counter())):
                return
            self._sources[connection.topic].publish(bytes(data))

    def ended(self) -> bool:
        """Has all been played?

        Raises:
            BagError: the recording is damaged, so the rest cannot be played.
        """
        if self._ended.is_set() and self._failure:
            raise BagError(self._failure)
        return self._ended.is_set()

    def _stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def destroy_node(self) -> None:
        """Stop playing first: the thread uses the publishers."""
        self._resources.close()
        super().destroy_node()


def main() -> int:
    """Run the player until the recording ends."""
    return spin.run(NAME, PlayerNode, PlayerSettings, done=PlayerNode.ended)


if __name__ == "__main__":
    sys.exit(main())
