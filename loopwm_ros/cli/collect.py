"""`loopwm collect`: record training episodes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from loopwm_ros.data.collect import Part


def collect(
    out: Annotated[Path, typer.Option(help="Folder for the recordings.")],
    task: Annotated[str, typer.Option(help="Task, by name or YAML file.")] = "reach",
    arm: Annotated[str, typer.Option(help="Arm, by name or YAML file; default: the usual one.")] = "",
    episodes: Annotated[int, typer.Option(min=1, help="Episodes in all; those already there count.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Episode i depends on the seed and i alone.")] = 0,
    recipe: Annotated[
        str,
        typer.Option(help="Whole data set, by name or YAML file; it says all of the above and has parts."),
    ] = "",
    bundle: Annotated[
        Path | None,
        typer.Option(help="Model whose plans move the arm, so that it can learn from its own mistakes."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
) -> None:
    """Record training episodes as rosbag2 MCAP; a run that was stopped goes on where it was."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from loopwm_ros.config.recipe import load_recipe
    from loopwm_ros.data.collect import Collected, recipe_parts
    from loopwm_ros.data.collect import collect as run
    from loopwm_ros.errors import ConfigError

    if recipe and bundle:
        raise ConfigError("--bundle goes with --task, not with --recipe, whose parts say how the arm moves")
    parts = recipe_parts(load_recipe(recipe)) if recipe else [_usual(task, arm, seed, episodes, bundle)]
    total, kept = sum(part.episodes for part in parts), 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task("", total=total)

        def advance(collected: Collected) -> None:
            nonlocal kept
            kept += collected.kept
            progress.advance(bar)

        for part in parts:
            progress.update(bar, description=f"collecting {part.name or part.collection.task.name}")
            run(part.collection, out / part.name, part.episodes, workers, advance)
    typer.echo(f"{total} episodes in {out}: {total - kept} recorded, {kept} were there")


def _usual(task: str, arm: str, seed: int, episodes: int, bundle: Path | None) -> Part:
    """A task's usual collection, as the only part, without a folder of its own."""
    from loopwm_ros.bundle import load_bundle
    from loopwm_ros.config import load_arm, load_task, load_world, usual_arm
    from loopwm_ros.data.collect import Part, usual_collection

    settings = load_task(task)
    chosen = load_arm(arm or usual_arm(settings.name))
    model = load_bundle(bundle) if bundle else None
    return Part("", usual_collection(chosen, settings, load_world(settings.world), seed, model), episodes)
