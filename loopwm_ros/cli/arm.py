"""`loopwm arm`: is an arm file right, and does its camera see what it must?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def arm(
    name: Annotated[str, typer.Argument(metavar="ARM", help="Arm, by name or YAML file.")],
    task: Annotated[str, typer.Option(help="Task that it is to do, by name or YAML file.")] = "reach",
    picture: Annotated[Path | None, typer.Option(help="Write what the camera sees here, a PNG.")] = None,
) -> None:
    """Check an arm file; exit status 1 if something is wrong with it."""
    from loopwm_ros.cli.check_table import print_checks
    from loopwm_ros.config import load_arm, load_task, load_world
    from loopwm_ros.validation.arm_check import check_arm, write_picture

    arm_settings, task_settings = load_arm(name), load_task(task)
    world = load_world(task_settings.world)
    good = print_checks(
        f"{arm_settings.name}, {task_settings.name}", check_arm(arm_settings, task_settings, world)
    )
    if picture is not None:
        write_picture(picture, arm_settings, task_settings, world)
        typer.echo(f"picture: {picture}")
    if not good:
        raise typer.Exit(1)
