"""Start, spin and stop one node: the same for every process of ours."""

from __future__ import annotations

import gc
import inspect
import itertools
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import rclpy
from rclpy._rclpy_pybind11 import RCLError
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from loopwm_ros.config import Settings
from loopwm_ros.config.base import read_yaml
from loopwm_ros.errors import ConfigError, LoopWMError
from loopwm_ros.nodes import scheduling
from loopwm_ros.nodes.environment import stay_local, use_profile, without_shared_memory
from loopwm_ros.nodes.processes import orphaned

NodeT = TypeVar("NodeT", bound=Node)

BUILT_IN = ("use_sim_time", "start_type_description_service")
WAKE = 0.1  # [s] longest sleep between looks at the shutdown flag
SWITCH_INTERVAL = 5e-4  # [s] how long a busy Python thread may keep a due callback waiting


def new_executor() -> Executor:
    """The events executor where rclpy has it (a third of the latency), else the single-threaded one.

    Use it with `spin_once`: `EventsExecutor.spin` of rclpy 9.1 runs no callbacks.
    """
    try:
        from rclpy.experimental.events_executor import EventsExecutor  # noqa: PLC0415  (absent from older rclpy)
    except ImportError:
        return SingleThreadedExecutor()
    return EventsExecutor()


def settle() -> None:
    """Do at once what would hold up every thread of a node for tens of milliseconds later.

    All that was made so far stays: the garbage collector need not go through it again and again. Where its
    first line of log comes from, rclpy asks `inspect`, which looks up the paths of all modules.
    """
    inspect.stack()
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def spin_until(executor: Executor, done: Callable[[], bool]) -> None:
    """Run callbacks until `done` or until ROS shuts down."""
    while rclpy.ok() and not done():
        executor.spin_once(timeout_sec=WAKE)


def _sections(path: Path) -> dict[str, dict[str, Any]]:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is no parameter file: expected NODE: {{ros__parameters: {{...}}}}")
    found = {}
    for node, body in content.items():
        if not isinstance(body, dict) or not isinstance(body.get("ros__parameters"), dict):
            raise ConfigError(f"{path}: section '{node}' lacks 'ros__parameters:'")
        found[str(node)] = body["ros__parameters"]
    return found


def check_parameter_files(argv: list[str], name: str, kind: type[Settings]) -> None:
    """Refuse a parameter file that rclpy would abort on, and unknown names for node `name`.

    Raises:
        ConfigError: naming the file, and the unknown parameter with the valid ones.
    """
    files = [Path(value) for flag, value in itertools.pairwise(argv) if flag == "--params-file"]
    for path in files:
        for node, values in _sections(path).items():
            unknown = sorted(set(values) - set(kind.model_fields) - set(BUILT_IN))
            if node.rsplit("/", 1)[-1] == name and unknown:
                valid = ", ".join(sorted(kind.model_fields))
                raise ConfigError(f"{path}: node '{name}' has no parameter '{unknown[0]}'; valid: {valid}")


def given(argv: list[str], name: str, parameter: str) -> str:
    """Value of a parameter as the command line of node `name` gives it, there or in a file; else empty.

    A file that cannot be read says nothing: `run` refuses it.
    """
    found = ""
    for flag, value in itertools.pairwise(argv):
        if flag == "--params-file":
            with suppress(ConfigError):
                for node, values in _sections(Path(value)).items():
                    if node.rsplit("/", 1)[-1] in (name, "**"):
                        found = str(values.get(parameter, found))
        elif flag in ("-p", "--param") and value.startswith(f"{parameter}:="):
            found = value.partition(":=")[2].strip("'\"")
    return found


class StopRequest:
    """Turns SIGINT and SIGTERM into a flag, so that no callback is cut short.

    rclpy's own handlers invalidate all publishers at once, under a callback that is publishing.
    """

    def __init__(self) -> None:
        self.made = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def ignore_further(self) -> None:
        """From here on the process ends anyway; a second signal must not change its exit code."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.made = True


def run(
    name: str,
    make: Callable[[], NodeT],
    kind: type[Settings],
    done: Callable[[NodeT], bool] = lambda _: False,
    leaves: Callable[[NodeT], bool] = lambda _: True,
    shared_memory: bool = True,
) -> int:
    """Process exit code of node `name`: 0 after SIGINT, SIGTERM or `done`, 1 when it cannot start or go on.

    `done` raises a LoopWMError when the node cannot go on; it is logged in one line. Asked to end, it goes on
    until `leaves`. Without `shared_memory`, a peer that was killed cannot hold it up (docs/safety.md).
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    use_profile()
    stay_local()
    if not shared_memory:
        without_shared_memory()
    stop = StopRequest()
    try:
        check_parameter_files(sys.argv, name, kind)
        scheduling.keep_time(given(sys.argv, name, scheduling.PARAMETER))
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        node = make()
        settle()
    except (LoopWMError, RCLError) as error:
        sys.stderr.write(f"{name} cannot start: {error}\n")
        rclpy.try_shutdown()
        return 1
    executor = new_executor()
    executor.add_node(node)
    try:
        spin_until(executor, lambda: ((stop.made or orphaned()) and leaves(node)) or done(node))
    except LoopWMError as error:
        node.get_logger().error(str(error))
        return 1
    finally:
        gc.unfreeze()  # the last round, at the end of the process, frees what is shared with others
        executor.shutdown()  # else it keeps the node, and Fast DDS its shared memory beyond the process
        node.destroy_node()
        rclpy.try_shutdown()
        stop.ignore_further()
    return 0
