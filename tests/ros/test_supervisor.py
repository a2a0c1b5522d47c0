"""The supervisor's patience, and the ROS domain it works in."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from loopwm_ros.config import load_arm, load_task, load_world
from loopwm_ros.nodes import environment, supervisor
from loopwm_ros.nodes.monitor_topics import PATIENCE
from loopwm_ros.nodes.ros_client import RosClient
from loopwm_ros.nodes.service_calls import CLEANUP, CONFIGURE
from loopwm_ros.validation.request import RunRequest
from loopwm_ros.validation.summary import Measurements

SLOW_START = 40.0  # [s] until the first image


class SlowMachine:
    """A ROS graph whose camera needs long, and whose mpc node refuses a few times after that."""

    persist = RosClient.persist

    def __init__(self, refusals: int) -> None:
        self.now, self.refusals = 100.0, refusals
        self.frames: list[object] = []
        self.services = self

    def take_frames(self) -> list[object]:
        return []

    def wait(self, *_: object) -> None:
        self.now += SLOW_START

    def run_for(self, seconds: float) -> None:
        self.now += seconds

    def transition(self, *_: object) -> bool:
        self.refusals -= 1
        return self.refusals < 0

    def call(self, *_: object, **__: object) -> SimpleNamespace:
        return SimpleNamespace(success=self.transition(), message="no fresh joint states")


def supervised(ros: object, monkeypatch, tmp_path: Path, goal: str = "seen") -> supervisor._Run:
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: ros.now)
    manifest = SimpleNamespace(spec=SimpleNamespace(model_period=0.1))
    bundle, task = SimpleNamespace(manifest=manifest), SimpleNamespace(time_limit=8.0)
    asked = SimpleNamespace(bundle=bundle, task=task, goal=goal, engine="bullet", validation=None)
    request = SimpleNamespace(run=asked)
    mpc = SimpleNamespace(error_text=lambda: "it refuses")
    return supervisor._Run(request, ros, mpc, tmp_path, Measurements(), lambda _: None)


def test_waiting_for_the_first_image_takes_nothing_from_the_time_to_activate(monkeypatch, tmp_path) -> None:
    ros = SlowMachine(refusals=3)
    run = supervised(ros, monkeypatch, tmp_path)
    run._activate()
    ros.refusals = 1000
    with pytest.raises(supervisor.ProcessError, match="it refuses"):
        run._activate()


def test_arming_is_asked_for_again_for_a_while(monkeypatch) -> None:
    ros = SlowMachine(refusals=3)
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: ros.now)
    ros.persist(lambda: supervisor.arm(ros), 10.0)
    ros.refusals = 1000
    with pytest.raises(supervisor.ProcessError, match="safety node refuses: no fresh joint states"):
        ros.persist(lambda: supervisor.arm(ros), 10.0)


@pytest.mark.parametrize(("goal", "asked"), [("seen", []), ("image", [CLEANUP, CONFIGURE])])
def test_a_goal_that_was_given_is_forgotten_before_the_next_episode(
    monkeypatch, tmp_path, goal: str, asked: list[int]
) -> None:
    ros, done = SlowMachine(refusals=0), []
    monkeypatch.setattr(ros, "transition", lambda _node, number, _timeout: done.append(number) or True)
    supervised(ros, monkeypatch, tmp_path, goal)._forget_goal()
    assert done == asked


@pytest.mark.parametrize(
    ("engine", "cell", "simulated"), [("bullet", "sim", True), ("mujoco", "standin", False)]
)
def test_the_stand_in_takes_the_simulation_s_place_without_its_clock(
    bundle, tmp_path, engine: str, cell: str, simulated: bool
) -> None:
    task = load_task("reach")
    run = RunRequest(
        arm=load_arm("panda"), task=task, world=load_world(task.world), controller="mpc", episodes=1, seed=4,
        bundle=bundle, engine=engine,
    )  # fmt: skip
    request = supervisor.RealtimeRequest(run, "panda", "reach", priority=40)
    nodes = supervisor.node_parameters(request, tmp_path)
    assert list(nodes) == [cell, "safety", "mpc"]
    assert [node["realtime_priority"] for node in nodes.values()] == [39, 41, 40]
    assert {nodes[name]["use_sim_time"] for name in ("safety", "mpc")} == {simulated}
    assert "use_sim_time" not in nodes[cell]
    assert nodes[cell]["seed"] == 4


def test_with_a_validation_safety_starts_in_shadow_and_a_monitor_watches(bundle, tmp_path) -> None:
    task, file = load_task("reach"), tmp_path / "validation.json"
    run = RunRequest(
        arm=load_arm("panda"), task=task, world=load_world(task.world), controller="mpc", episodes=1, seed=4,
        bundle=bundle, engine="mujoco", validation=file,
    )  # fmt: skip
    nodes = supervisor.node_parameters(supervisor.RealtimeRequest(run, "panda", "reach"), tmp_path)
    assert list(nodes) == ["standin", "safety", "monitor", "mpc"]
    safety = nodes["safety"]
    assert safety["shadow"] is safety["need_validation"] is True
    assert safety["monitor_timeout"] == PATIENCE
    assert nodes["monitor"]["validation"] == safety["validation"] == str(file)


def test_the_user_s_domain_is_kept_and_without_one_it_is_drawn(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "77")
    assert environment.domain_id() == "77"
    monkeypatch.delenv("ROS_DOMAIN_ID")
    drawn = {environment.domain_id() for _ in range(50)}
    assert len(drawn) > 1
    assert {int(x) for x in drawn} <= set(range(1, environment.MAX_DOMAIN + 1))
    assert environment.private_graph(tmp_path, "12")["ROS_DOMAIN_ID"] == "12"
