"""Draw film strips of lockstep episodes of shipped models, one below the other, as the README shows them.

Example: tools/picture.py --task reach --arm ur5e --arm iiwa --moments 4 --columns 4 --out arms.png
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from PIL import Image

from loopwm_ros.bundle import load_bundle
from loopwm_ros.config import load_arm, load_task, load_world, share_dir, usual_arm
from loopwm_ros.control.assembly import MpcSettings, planner_settings
from loopwm_ros.validation.film import film_strip
from loopwm_ros.validation.lockstep_episode import LockstepRunner
from loopwm_ros.validation.request import RunRequest
from loopwm_ros.validation.summary import Measurements


def request_for(task_name: str, arm_name: str, seed: int) -> RunRequest:
    """One episode in a randomised world."""
    task, arm = load_task(task_name), load_arm(arm_name)
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


def strip(request: RunRequest, moments: int, columns: int) -> Image.Image:
    """Run the episode."""
    with closing(LockstepRunner(request, lambda _: None)) as runner:
        episode = runner.episode(0, Measurements())
    print(f"{request.arm.name}: {'solved' if episode.result.success else 'not solved'}")
    return film_strip(episode.trace, request.arm.camera, moments, columns)


def stacked(strips: list[Image.Image]) -> Image.Image:
    """One below the other."""
    sheet = Image.new("RGB", (max(s.width for s in strips), sum(s.height for s in strips)), "white")
    for i, picture in enumerate(strips):
        sheet.paste(picture, (0, sum(s.height for s in strips[:i])))
    return sheet


def main() -> None:
    """Run the episodes and write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", default="push", help="reach or push (default: %(default)s)")
    parser.add_argument("--arm", action="append", help="may be given again; default: the task's usual one")
    parser.add_argument("--seed", type=int, default=0, help="of the episode (default: %(default)s)")
    parser.add_argument("--moments", type=int, default=6, help="of an episode (default: %(default)s)")
    parser.add_argument("--columns", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="PNG file, e.g. docs/images/push.png")
    chosen = parser.parse_args()
    arms = chosen.arm or [usual_arm(chosen.task)]
    requests = [request_for(chosen.task, arm, chosen.seed) for arm in arms]
    strips = [strip(request, chosen.moments, chosen.columns) for request in requests]
    stacked(strips).save(chosen.out, optimize=True)


if __name__ == "__main__":
    main()
