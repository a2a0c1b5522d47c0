"""`loopwm collect`: record training episodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def collect(
    out: Annotated[Path, typer.Option(help="Folder for the recordings.")],
    task: Annotated[str, typer.Option(help="Task, by name or YAML file.")] = "reach",
    arm: Annotated[str, typer.Option(help="Arm, by name or YAML file; default: the usual one.")] = "",
    episodes: Annotated[int, typer.Option(min=1, help="Episodes in all; those already there count.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Episode i depends on the seed and i alone.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
) -> None:
    """Record training episodes as rosbag2 MCAP; a run that was stopped goes on where it was."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from loopwm_ros.config import load_arm, load_task, load_world, usual_arm
    from loopwm_ros.data.collect import Collected, usual_collection
    from loopwm_ros.data.collect import collect as run

    settings = load_task(task)
    collection = usual_collection(
        load_arm(arm or usual_arm(settings.name)), settings, load_world(settings.world), seed
    )
    kept = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task(f"collecting {settings.name}", total=episodes)

        def advance(collected: Collected) -> None:
            nonlocal kept
            kept += collected.kept
            progress.advance(bar)

        run(collection, out, episodes, workers, advance)
    typer.echo(f"{episodes} episodes in {out}: {episodes - kept} recorded, {kept} were there")
