"""`loopwm bench start`: how soon an arm can be commanded, and what waiting costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LOOK = 0.5  # [s] between two looks


def start(
    *,
    task: Annotated[str, typer.Option(help="Task, by name or YAML file.")] = "push",
    arm: Annotated[str, typer.Option(help="Arm, by name or YAML file; default: the usual one.")] = "",
    bundle: Annotated[Path | None, typer.Option(help="Model bundle; default: models/ARM_TASK.")] = None,
    times: Annotated[int, typer.Option(min=1, help="Cold starts.")] = 5,
    idle: Annotated[float, typer.Option(min=1, help="Seconds for which idle nodes are looked at.")] = 10.0,
    json: Annotated[Path | None, typer.Option(help="Write all of it here.")] = None,
) -> None:
    """Start safety and mpc beside a cell that is there already, until the first command that moves the arm.

    Each time in new processes. Then they wait with a monitor, configured but without a cell, and what they
    take is shown.
    """
    import tempfile

    from rich.console import Console
    from rich.progress import track

    from loopwm_ros.bench.machine import cpu_name
    from loopwm_ros.bench.results import StartBench
    from loopwm_ros.bench.saving import save
    from loopwm_ros.bench.table import print_start
    from loopwm_ros.bench.usage import UsageWatch
    from loopwm_ros.cli.bench_request import own_request
    from loopwm_ros.config import load_task, usual_arm
    from loopwm_ros.nodes.startup import cold_start, watch_idle
    from loopwm_ros.nodes.supervisor import RealtimeRequest
    from loopwm_ros.validation.burners import cores
    from loopwm_ros.validation.versions import versions

    console, task_settings = Console(), load_task(task)
    arm = arm or usual_arm(task_settings.name)
    run = own_request(task_settings, arm, bundle, episodes=1, seed=0)
    assert run.bundle is not None
    starts, watch = [], UsageWatch(LOOK)
    for _ in track(range(times), "cold starts", console=console, transient=True):
        with tempfile.TemporaryDirectory() as folder:
            starts.append(cold_start(RealtimeRequest(run, arm, task), Path(folder)))
    with tempfile.TemporaryDirectory() as folder:
        watch_idle(RealtimeRequest(run, arm, task), Path(folder), idle, watch)
    result = StartBench(
        cpu=cpu_name(),
        cores=cores(),
        versions=versions(),
        arm=run.arm.name,
        task=task_settings.name,
        bundle_sha256=run.bundle.sha256,
        starts=tuple(starts),
        idle=watch.found,
    )
    print_start(console, result)
    save(result, json, console)
