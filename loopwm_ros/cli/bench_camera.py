"""`loopwm bench camera`: what reading pictures costs, apart from the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TRANSPORTS = ("compressed", "raw")


def camera(
    *,
    size: Annotated[str, typer.Option(help="Width and height of the pictures, in pixels.")] = "640x480",
    rate: Annotated[float, typer.Option(min=1, max=400, help="Pictures a second.")] = 30.0,
    seconds: Annotated[float, typer.Option(min=1, help="For which each transport is looked at.")] = 20.0,
    task: Annotated[str, typer.Option(help="Task, by name or YAML file, whose model takes them.")] = "push",
    arm: Annotated[str, typer.Option(help="Arm, by name or YAML file; default: the usual one.")] = "",
    bundle: Annotated[Path | None, typer.Option(help="Model bundle; default: models/ARM_TASK.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all of it here.")] = None,
) -> None:
    """Read pictures of another process as mpc does, compressed and raw, and show the processor time of that.

    Receiving, decoding, checks, and making the model's input of the newest one for each plan; what the same
    process takes without pictures is taken off.
    """
    from rich.console import Console

    from loopwm_ros.bench.machine import cpu_name
    from loopwm_ros.bench.results import CameraBench
    from loopwm_ros.bench.saving import save
    from loopwm_ros.bench.table import print_camera
    from loopwm_ros.cli.bench_request import own_request
    from loopwm_ros.cli.sim_job import camera_size
    from loopwm_ros.config import load_task, usual_arm
    from loopwm_ros.errors import ConfigError
    from loopwm_ros.nodes.picture_bench import read_pictures
    from loopwm_ros.validation.versions import versions

    console, pixels, task_settings = Console(), camera_size(size), load_task(task)
    if not all(pixels):
        raise ConfigError("--size is empty; expected WIDTHxHEIGHT, e.g. 640x480")
    run = own_request(task_settings, arm or usual_arm(task_settings.name), bundle, episodes=1, seed=0)
    assert run.bundle is not None
    spec, rows = run.bundle.manifest.spec, []
    for transport in TRANSPORTS:
        with console.status(f"{transport}, {2 * seconds:g} s"):
            rows.append(read_pictures(run.arm, spec, pixels, rate, transport, seconds))
    result = CameraBench(cpu=cpu_name(), versions=versions(), seconds=seconds, rows=tuple(rows))
    print_camera(console, result)
    save(result, json, console)
