"""`loopwm validate`: is a model good enough for an arm? What the robot asks for before it arms."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from loopwm_ros.validation.executors import Executor

NOT_PASSED = 2  # exit status of a validation that went well and was not passed


def validate(
    *,
    suite: Annotated[str, typer.Option(help="Suite, by name or YAML file.")],
    arm: Annotated[str, typer.Option(help="Arm, by name or YAML file; default: the task's usual one.")] = "",
    bundle: Annotated[Path | None, typer.Option(help="Model bundle; default: models/ARM_TASK.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; default: out/validation/ARM_SUITE.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Episodes at once on this machine.")] = 1,
    ray: Annotated[
        str, typer.Option(help="Spread episodes over the Ray cluster at HOST:PORT; local: one of its own.")
    ] = "",
    sign: Annotated[
        Path | None, typer.Option(help="Sign the result with this Ed25519 key, a PEM file.")
    ] = None,
) -> None:
    """Validate a bundle on an arm; writes validation.json and validation.html.

    A second start with the same --out goes on where the first one ended. Exit status: 0 if the suite was
    passed, 2 if it was not, 1 if the validation failed to run.
    """
    from rich.console import Console

    from loopwm_ros.cli.sim import usual_bundle
    from loopwm_ros.cli.validate_job import ValidateJob
    from loopwm_ros.cli.validate_table import print_verdict
    from loopwm_ros.config import load_arm, load_task, load_world, usual_arm
    from loopwm_ros.validation.signature import signing_key
    from loopwm_ros.validation.suite import load_suite
    from loopwm_ros.validation.suite_run import Subject

    if sign is not None:
        signing_key(sign)  # now, not after hours of work
    settings = load_suite(suite)
    task = load_task(settings.task)
    arm = arm or usual_arm(task.name)
    arm_settings = load_arm(arm)
    model = usual_bundle(bundle, arm_settings, task)
    subject = Subject(model, arm_settings, task, load_world(task.world))
    folder = out or Path("out") / "validation" / f"{arm_settings.name}_{settings.name}"
    console = Console()
    job = ValidateJob(settings, subject, arm, folder, console)
    with _executor(workers, ray) as executor:
        certificate = job.run(executor, sign)
    print_verdict(console, certificate)
    console.print(f"result: {job.result}\nreport: {job.report}", highlight=False)
    if not certificate.passed:
        raise typer.Exit(NOT_PASSED)


def _executor(workers: int, ray: str) -> AbstractContextManager[Executor]:
    from loopwm_ros.validation.executors import Processes, ray_cluster

    return ray_cluster(ray) if ray else nullcontext(Processes(workers))
