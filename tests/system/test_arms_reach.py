"""Every arm of ours touches the ball by looking: camera, encoder, planner, safety gate and its own joints.

The bundles are made by hand (tests/bundles.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from loopwm_ros.config import load_arm, load_task, load_world, share_dir
from loopwm_ros.validation.lockstep_run import EpisodeRun, RunRequest, run_lockstep
from loopwm_ros.validation.summary import Measurements
from tests.bundles import make_bundle

ARMS = sorted(path.stem for path in (share_dir() / "sim" / "arms").glob("*.yaml"))
TASK = load_task("reach")


@pytest.mark.parametrize("name", ARMS)
def test_the_ball_is_reached_by_looking(name: str, tmp_path: Path) -> None:
    arm = load_arm(name)
    episodes: list[EpisodeRun] = []
    request = RunRequest(
        arm=arm,
        task=TASK,
        world=load_world(TASK.world),
        controller="mpc",
        episodes=1,
        seed=11,
        bundle=make_bundle(tmp_path / "bundle", arm, TASK),
    )
    run_lockstep(request, Measurements(), episodes.append, lambda _: None)
    assert [e.result.success for e in episodes] == [True]
