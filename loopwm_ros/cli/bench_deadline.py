"""`loopwm bench deadline`: is every command in time, whatever else runs?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from loopwm_ros.bench.results import DeadlineRun
    from loopwm_ros.cli.sim_job import InRealTime
    from loopwm_ros.validation.request import RunRequest

MISSED = 3  # exit status of a run in which a command was late
MANY = 100_000  # episodes: time ends the run
LOOK, LOOKS = 5.0, 40  # memory and processor time are looked at so often [s], and at least so many times


def deadline(
    *,
    task: Annotated[str, typer.Option(help="Task, by name or YAML file.")] = "push",
    arm: Annotated[str, typer.Option(help="Arm, by name or YAML file; default: the usual one.")] = "",
    bundle: Annotated[Path | None, typer.Option(help="Model bundle; default: models/ARM_TASK.")] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="In all, shared among the rates.")] = 30.0,
    rate: Annotated[
        list[float] | None, typer.Option(min=1, help="Commands a second; may be given again; default 20, 50.")
    ] = None,
    stress: Annotated[
        bool, typer.Option("--stress", help="Let a busy process compete for every core meanwhile.")
    ] = False,
    priority: Annotated[
        int,
        typer.Option(
            min=0,
            max=97,
            help="Of SCHED_FIFO for mpc and safety, memory locked, the simulator just below; 0: none.",
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the first episode.")] = 500,
    json: Annotated[Path | None, typer.Option(help="Write all of it here.")] = None,
) -> None:
    """Run the whole ROS graph in real time, count late commands, and show what was planned within the time.

    Shows, too, what each node's process took of processor and memory, how fast its memory grew, how evenly it
    published, and how long one node waited for another.

    Exit status: 0 if no command was late, 3 if one was, 1 if the run failed.
    """
    from rich.console import Console

    from loopwm_ros.bench.machine import describe
    from loopwm_ros.bench.results import DeadlineBench
    from loopwm_ros.bench.saving import save
    from loopwm_ros.bench.table import print_deadlines
    from loopwm_ros.cli.bench_request import own_request
    from loopwm_ros.cli.sim_job import InRealTime
    from loopwm_ros.config import load_task, usual_arm
    from loopwm_ros.nodes.scheduling import of_the_cell
    from loopwm_ros.validation.burners import burning, cores

    console, rates = Console(), rate or [20.0, 50.0]
    task_settings = load_task(task)
    arm = arm or usual_arm(task_settings.name)
    request = own_request(task_settings, arm, bundle, MANY, seed)
    assert request.bundle is not None
    for hertz in rates:
        request.bundle.manifest.spec.commands_per_action(1.0 / hertz)
    how = InRealTime(arm, task, seconds=minutes * 60.0 / len(rates), priority=priority)
    machine = describe(cores())
    with burning(cores(), nice=0) if stress else nullcontext():
        runs = [_at(hertz, request, how, console) for hertz in rates]
    result = DeadlineBench(
        machine=machine,
        stress=stress,
        realtime_priority=priority,
        simulator_priority=of_the_cell(priority),
        minutes=minutes,
        runs=runs,
    )
    print_deadlines(console, result)
    save(result, json, console)
    if any(run.summary.deadline_misses for run in runs):
        raise typer.Exit(MISSED)


def _at(hertz: float, request: RunRequest, how: InRealTime, console: Console) -> DeadlineRun:
    """All of it at one rate of commands."""
    from loopwm_ros.bench.results import DeadlineRun
    from loopwm_ros.bench.usage import UsageWatch
    from loopwm_ros.cli.sim_job import SimJob
    from loopwm_ros.cli.sim_table import RunTable
    from loopwm_ros.nodes.supervisor import CELL_NODES
    from loopwm_ros.nodes.timing_watch import TimingWatch

    usage = UsageWatch(min(LOOK, how.seconds / LOOKS))
    timing = TimingWatch(request.arm, CELL_NODES[request.engine])

    @contextmanager
    def watching(nodes: Mapping[str, int]) -> Iterator[None]:
        with usage(nodes), timing(nodes):
            yield

    world = request.world.model_copy(update={"control_rate": hertz})
    table = RunTable(console, f"{how.task}, {hertz:g} commands a second")
    began = time.monotonic()
    with table.shown():
        summary = SimJob(replace(request, world=world), table).realtime(replace(how, watching=watching))
    return DeadlineRun(
        commands_per_second=hertz,
        seconds=round(time.monotonic() - began, 1),
        summary=summary,
        nodes=usage.found,
        topics=timing.topics,
        steps=timing.steps,
    )
