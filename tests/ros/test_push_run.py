"""A run of push over ROS, with a goal image and something going wrong, comes back as a lockstep run does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from loopwm_ros.bundle import Bundle, load_bundle
from loopwm_ros.config import load_arm, load_task, load_world, share_dir
from loopwm_ros.nodes.supervisor import RealtimeRequest, run_realtime
from loopwm_ros.validation.request import RunRequest
from loopwm_ros.validation.stage import WHEN
from loopwm_ros.validation.summary import Measurements
from loopwm_ros.validation.trace import EpisodeRun
from tests.bundles import make_bundle
from tests.ros.test_processes import alone

ARM = load_arm("panda_rod")
SEEN_AT = 0.04  # centroid of a cube's pixels to its centre [m]


@pytest.fixture
def short_push(tmp_path: Path) -> Path:
    settings = yaml.safe_load((share_dir() / "sim" / "tasks" / "push.yaml").read_text())
    path = tmp_path / "short.yaml"
    path.write_text(yaml.safe_dump(settings | {"time_limit": 5.0}))
    return path


@pytest.fixture
def push_bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "panda_rod_push", ARM, load_task("push"))


def run_one_episode(bundle: Path, task: Path, log: Path) -> None:
    settings = load_task(str(task)).nominal()
    run = RunRequest(
        arm=ARM, task=settings, world=load_world(settings.world), controller="mpc", episodes=1, seed=5,
        bundle=load_bundle(bundle), nominal=True, goal="image", disturb="object_moved",
    )  # fmt: skip
    runs: list[EpisodeRun] = []
    request = RealtimeRequest(run, ARM.name, str(task))
    run_realtime(request, log, Measurements(), runs.append, lambda _: None)
    (episode,) = runs
    assert episode.result.disturbance == "object_moved"
    assert WHEN[0] <= episode.result.disturbed_at_s <= WHEN[1]
    truth, seen = episode.trace.points, episode.trace.readings
    assert set(truth) == {"cube", "goal"}
    assert np.ptp(truth["cube"].values[:, :2], axis=0).max() > 0.03, "it was moved"
    cube = truth["cube"].held(seen["cube"].stamps[0])
    assert np.linalg.norm((seen["cube"].values[0] - cube)[:2]) < SEEN_AT
    plan = episode.trace.imagined[-1]
    assert np.linalg.norm((plan.goal - truth["goal"].values[0])[:2]) < SEEN_AT, (
        "from its image: no mark is shown"
    )
    assert plan.moved.shape == plan.path.shape


def test_push_with_a_goal_image_and_a_disturbance(push_bundle, short_push, tmp_path) -> None:
    alone(run_one_episode, push_bundle.root, short_push, tmp_path / "log")
