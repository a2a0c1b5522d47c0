"""What `loopwm bench deadline` and `bench start` run: a task's own settings, on its shipped model."""

from __future__ import annotations

from pathlib import Path

from loopwm_ros.cli.sim import usual_bundle
from loopwm_ros.config import TaskConfig, load_arm, load_world
from loopwm_ros.control.assembly import MpcSettings, planner_settings
from loopwm_ros.validation.request import RunRequest


def own_request(task: TaskConfig, arm: str, bundle: Path | None, episodes: int, seed: int) -> RunRequest:
    """The mpc controller on `arm`, by name or file.

    Raises:
        LoopWMError: arm, world or bundle cannot be loaded.
    """
    arm_settings = load_arm(arm)
    return RunRequest(
        arm=arm_settings,
        task=task,
        world=load_world(task.world),
        controller="mpc",
        episodes=episodes,
        seed=seed,
        bundle=usual_bundle(bundle, arm_settings, task),
        settings=MpcSettings(planner=planner_settings(task, "mppi")),
    )
