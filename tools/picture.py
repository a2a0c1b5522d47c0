"""Draw the film strip of one lockstep episode of a shipped model, as the README shows them."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from loopwm_ros.bundle import load_bundle
from loopwm_ros.config import load_arm, load_task, load_world, share_dir, usual_arm
from loopwm_ros.control.assembly import MpcSettings, planner_settings
from loopwm_ros.validation.film import film_strip
from loopwm_ros.validation.lockstep_episode import LockstepRunner
from loopwm_ros.validation.request import RunRequest
from loopwm_ros.validation.summary import Measurements


def request_for(task_name: str, arm_name: str, seed: int) -> RunRequest:
    """One episode in a randomised world."""
    task, arm = load_task(task_name), load_arm(arm_name or usual_arm(task_name))
    return RunRequest(
        arm=arm,
        task=task,
        world=load_world(task.world),
        controller="mpc",
        episodes=1,
        seed=seed,
        bundle=load_bundle(share_dir() / "models" / f"{arm.name}_{task.name}"),
        settings=MpcSettings(planner=planner_settings(task, "mppi")),
    )


def main() -> None:
    """Run the episode and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="push", help="reach or push (default: %(default)s)")
    parser.add_argument("--arm", default="", help="default: the usual one of the task")
    parser.add_argument("--seed", type=int, default=0, help="of the episode (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="PNG file, e.g. docs/images/push.png")
    chosen = parser.parse_args()
    request = request_for(chosen.task, chosen.arm, chosen.seed)
    with closing(LockstepRunner(request, lambda _: None)) as runner:
        episode = runner.episode(0, Measurements())
    film_strip(episode.trace, request.arm.camera).save(chosen.out, optimize=True)
    print(f"{chosen.out}: {'solved' if episode.result.success else 'not solved'}")


if __name__ == "__main__":
    main()
