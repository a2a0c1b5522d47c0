"""`loopwm bench planner`: how long control cycles take on this machine."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loopwm_ros.errors import ConfigError

if TYPE_CHECKING:
    from loopwm_ros.bench.planner import Count, Grid
    from loopwm_ros.model_spec import ModelSpec
    from loopwm_ros.planning.settings import PlannerSettings
    from loopwm_ros.training.peers.timed import Peer


class Providers(str, Enum):
    """Values of --provider."""

    cpu = "cpu"
    cuda = "cuda"
    tensorrt = "tensorrt"
    auto = "auto"


class Precisions(str, Enum):
    """Values of --precision."""

    float32 = "float32"
    float16 = "float16"
    int8 = "int8"
    auto = "auto"


Numbers = Annotated[str, typer.Option(metavar="N,N,...", help="Of the search; default: the task's own.")]


def planner(
    *,
    task: Annotated[str, typer.Option(help="Task, by name or YAML file.")] = "push",
    arm: Annotated[str, typer.Option(help="Arm, by name or YAML file; default: the usual one.")] = "",
    bundle: Annotated[Path | None, typer.Option(help="Model bundle; default: models/ARM_TASK.")] = None,
    candidates: Numbers = "",
    horizon: Numbers = "",
    refinements: Numbers = "",
    loops: Annotated[str, typer.Option(metavar="N,auto,...", help="Iterations; auto: early exit.")] = "auto",
    provider: Annotated[list[Providers] | None, typer.Option(help="May be given again; default cpu.")] = None,
    precision: Annotated[
        list[Precisions] | None,
        typer.Option(help="May be given again; float16: of a GPU; int8: of the CPU; default float32."),
    ] = None,
    peer: Annotated[
        bool, typer.Option("--peer", help="Time TD-MPC2's plan (1M, 5M) and a transformer's beside it.")
    ] = False,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compiled", help="Peers by torch.compile, too; this takes minutes, and a C++ compiler."
        ),
    ] = False,
    rounds: Annotated[int, typer.Option(min=10, help="Samples of each.")] = 200,
    core: Annotated[int | None, typer.Option(min=0, help="CPU core; default: the last one.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all rows here.")] = None,
) -> None:
    """Time whole control cycles, from picture to joint motion, on one core.

    All settings see the same recorded pictures and take turns, so that a slow moment hits all alike.
    """
    import os
    import shutil

    from rich.console import Console
    from rich.progress import Progress

    from loopwm_ros.bench.cycle import Rig
    from loopwm_ros.bench.machine import describe, keep_to_core
    from loopwm_ros.bench.planner import Grid, PlannerBencher
    from loopwm_ros.bench.saving import save
    from loopwm_ros.bench.table import print_bench
    from loopwm_ros.cli.sim import usual_bundle
    from loopwm_ros.cli.sim_job import loop_count
    from loopwm_ros.config import load_arm, load_task, load_world, usual_arm
    from loopwm_ros.control.kinematics import Kinematics
    from loopwm_ros.validation.burners import cores

    if compiled and not shutil.which(compiler := os.environ.get("CXX", "g++")):
        raise ConfigError(
            f"--compiled needs the C++ compiler {compiler}, and Python's headers: apt install g++ python3-dev"
        )
    console = Console()
    task_settings = load_task(task)
    arm_settings = load_arm(arm or usual_arm(task_settings.name))
    allowed = cores()
    machine = describe(allowed, keep_to_core(core))
    rig = Rig(
        usual_bundle(bundle, arm_settings, task_settings),
        arm_settings,
        task_settings,
        load_world(task_settings.world),
        Kinematics(arm_settings),
    )
    grid = Grid(
        numbers("--candidates", candidates),
        numbers("--horizon", horizon),
        numbers("--refinements", refinements),
        tuple(loop_count(word.strip()) for word in loops.split(",")),
        tuple(one.value for one in provider or [Providers.cpu]),
        tuple(one.value for one in precision or [Precisions.float32]),
    )
    machine = machine.model_copy(update={"device_peak_gflops": _device_peak(grid)})
    bencher = PlannerBencher(rig, grid, _count())
    own = bencher.cycles[0].settings.planner
    beside = _peers(rig.bundle.manifest.spec, own, compiled) if peer or compiled else []
    with Progress(console=console, transient=True) as progress:
        task_id = progress.add_task("rounds", total=rounds)
        result = bencher.run(rounds, machine, beside, lambda: progress.advance(task_id))
    print_bench(console, result)
    save(result, json, console)


def _device_peak(grid: Grid) -> float | None:
    """Of the first GPU's provider in the grid; None where there is none."""
    from loopwm_ros.bench.device_peak import device_peak_gflops
    from loopwm_ros.world_model.providers import target

    half = grid.precisions == ("float16",)
    wanted = [one for one in grid.providers if one != "auto"]  # which may be the CPU after all
    there = next(filter(None, (target(one, half) for one in wanted)), None)
    return None if there is None else round(device_peak_gflops(there, half), 1)


def numbers(option: str, text: str) -> tuple[int, ...]:
    """`1,2,3` to numbers; none of an empty text.

    Raises:
        ConfigError: something else stands there.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if wrong := [word for word in words if not (word.isdecimal() and int(word))]:
        raise ConfigError(f"{option} has '{wrong[0]}'; expected whole numbers from 1, with commas between")
    return tuple(map(int, words))


def _count() -> Count | None:
    """Counts a graph's operations, where the train extra is there."""
    try:
        from loopwm_ros.training.graph_flops import graph_flops
    except ModuleNotFoundError:
        return None
    return graph_flops


def _peers(spec: ModelSpec, search: PlannerSettings, compiled: bool) -> list[Peer]:
    from loopwm_ros.training.peers.timed import peers

    return peers(spec, search.candidates, search.horizon, search.refinements, compiled)
