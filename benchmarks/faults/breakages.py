"""Faults of processes, files and the network."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from std_msgs.msg import Float64MultiArray

from benchmarks.faults.scene import ARM, PATIENCE, Scene
from benchmarks.faults.switches import Planner, Signals
from loopwm_ros.nodes import processes
from loopwm_ros.nodes.qos import COMMAND
from loopwm_ros.nodes.service_calls import CONFIGURE
from loopwm_ros.validation.burners import burning, cores

MORE = 64 * 2**20  # bytes that mpc may take beside what it has
PAGE = resource.getpagesize()


@contextmanager
def killed(scene: Scene) -> Iterator[float]:
    """SIGKILL; it is started again when the fault ends, as a launch file's `respawn` does."""
    began = time.perf_counter()
    scene.children["mpc"].process.kill()
    scene.children["mpc"].process.wait()
    yield began
    scene.start("mpc")
    scene.plan()


def hung(name: str) -> Callable[[Scene], AbstractContextManager[float]]:
    """SIGSTOP, until SIGCONT."""

    @contextmanager
    def made(scene: Scene) -> Iterator[float]:
        began = time.perf_counter()
        os.kill(scene.pid(name), signal.SIGSTOP)
        try:
            yield began
        finally:
            os.kill(scene.pid(name), signal.SIGCONT)

    return made


@contextmanager
def planner_nan(scene: Scene) -> Iterator[float]:
    """The planner returns NaN."""
    scene.switches.set(planner=Planner.NAN)
    try:
        yield time.perf_counter()
    finally:
        scene.switches.set()


@contextmanager
def out_of_memory(scene: Scene) -> Iterator[float]:
    """Mpc may take no more than it has, and the planner asks for 1 GB."""
    pages = int(Path(f"/proc/{scene.pid('mpc')}/statm").read_text().split()[0])
    before = resource.prlimit(scene.pid("mpc"), resource.RLIMIT_AS)
    resource.prlimit(scene.pid("mpc"), resource.RLIMIT_AS, (pages * PAGE + MORE, before[1]))
    scene.switches.set(planner=Planner.GREEDY)
    try:
        yield time.perf_counter()
    finally:
        scene.switches.set()
        resource.prlimit(scene.pid("mpc"), resource.RLIMIT_AS, before)


@contextmanager
def disk_full(scene: Scene) -> Iterator[float]:
    """The trace file of mpc may grow no more."""
    before = resource.prlimit(scene.pid("mpc"), resource.RLIMIT_FSIZE)
    size = scene.trace.stat().st_size
    resource.prlimit(scene.pid("mpc"), resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield time.perf_counter()
    finally:
        resource.prlimit(scene.pid("mpc"), resource.RLIMIT_FSIZE, before)


def bundle_changed(change: Callable[[bytes], bytes]) -> Callable[[Scene], AbstractContextManager[float]]:
    """A graph of the bundle is another on disk; then mpc is configured anew, and refuses."""

    @contextmanager
    def made(scene: Scene) -> Iterator[float]:
        file = scene.bundle / "coda.onnx"
        right = file.read_bytes()
        file.write_bytes(change(right))
        scene.run_for(0.3)  # what runs does not read it again
        began = time.perf_counter()
        scene.clean_up()
        try:
            if scene.transition(CONFIGURE):
                raise AssertionError("mpc took a bundle that is damaged")
            yield began
        finally:
            file.write_bytes(right)
        scene.plan()

    return made


@contextmanager
def starved(_: Scene) -> Iterator[float]:
    """Processes that do nothing but compute, two for each core."""
    with burning(2 * cores(), nice=0):
        yield time.perf_counter()


@contextmanager
def two_planners(scene: Scene) -> Iterator[float]:
    """A second mpc node is started."""
    scene.start("mpc", child="second")
    scene.swing_until(lambda: scene.mpc.rivals, "the second mpc")
    yield time.perf_counter()
    processes.stop([scene.children.pop("second")])
    scene.until(lambda: not scene.mpc.rivals, "the second mpc to go")


@contextmanager
def second_commander(scene: Scene) -> Iterator[float]:
    """Another node publishes on the controller's topic; it sends nothing."""
    began = time.perf_counter()
    publisher = scene.ros.node.create_publisher(Float64MultiArray, ARM.topics.command, COMMAND)
    yield began
    scene.ros.node.destroy_publisher(publisher)


def flooded(topic: str) -> Callable[[Scene], AbstractContextManager[float]]:
    """Another process publishes on a topic as fast as it can.

    On the joint states it is known before: the arm was armed while it was there.
    """

    @contextmanager
    def made(scene: Scene) -> Iterator[float]:
        command = [sys.executable, "-m", "benchmarks.faults.flood", topic]
        node, signals = scene.ros.node, scene.signals
        signals.clear()
        before = node.count_publishers(topic)
        peer = subprocess.Popen(command, env={**os.environ, **scene.environment}, start_new_session=True)  # noqa: S603
        try:
            scene.swing_until(lambda: signals.at(Signals.READY) is not None, "the peer")
            if topic == ARM.topics.joint_states:
                scene.accept()
                scene.swing()
            signals.tell(Signals.GO)
            scene.swing_until(lambda: signals.at(Signals.BEGAN) is not None, "the flood")
            yield signals.at(Signals.BEGAN) or 0.0
        finally:
            peer.terminate()  # killed, it would stay in the graph for 20 s
            peer.wait()
        scene.until(lambda: node.count_publishers(topic) == before, "the peer to go", PATIENCE)

    return made
