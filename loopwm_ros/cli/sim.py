"""`loopwm sim`: run a task in simulation, over ROS 2 in real time or in lockstep."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loopwm_ros.errors import ConfigError

if TYPE_CHECKING:
    from loopwm_ros.bundle import Bundle
    from loopwm_ros.config import ArmConfig, TaskConfig

WITH_BUNDLE = ("mpc", "policy")  # controllers that need a model
FELL_SHORT = 2  # exit status of a run that went well but succeeded too seldom


class Controllers(str, Enum):
    """What drives the arm."""

    mpc = "mpc"
    policy = "policy"
    zero = "zero"
    random = "random"
    scripted = "scripted"
    simulator = "simulator"


class Planners(str, Enum):
    """How the sampling planner updates its candidates."""

    mppi = "mppi"
    cem = "cem"


class Proposals(str, Enum):
    """Where the planner looks, besides about its last plan."""

    none = "none"
    policy = "policy"


class Precisions(str, Enum):
    """What the model's products are computed in."""

    float32 = "float32"
    int8 = "int8"
    auto = "auto"


class Worlds(str, Enum):
    """What is drawn for each episode: places alone, or everything."""

    nominal = "nominal"
    randomised = "randomised"


class Engines(str, Enum):
    """Which physics moves the arm: what models learn in, or the stand-in for a physical arm."""

    bullet = "bullet"
    mujoco = "mujoco"


class Goals(str, Enum):
    """Where the controller has the goal from."""

    seen = "seen"
    position = "position"
    image = "image"


class Disturbances(str, Enum):
    """What goes wrong in mid-episode; all: one after the other."""

    none = "none"
    object_moved = "object_moved"
    goal_moved = "goal_moved"
    camera_nudged = "camera_nudged"
    object_hidden = "object_hidden"
    all = "all"


def sim(
    *,
    task: Annotated[str, typer.Option(help="Task, by name or YAML file.")] = "reach",
    arm: Annotated[str, typer.Option(help="Arm, by name or YAML file; default: the usual one.")] = "",
    bundle: Annotated[Path | None, typer.Option(help="Model bundle; default: models/ARM_TASK.")] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes to run.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of the first episode; each next one adds 1.")] = 0,
    lockstep: Annotated[bool, typer.Option("--lockstep", help="Without ROS, as fast as it goes.")] = False,
    controller: Annotated[Controllers, typer.Option(help="All but mpc need --lockstep.")] = Controllers.mpc,
    planner: Annotated[Planners, typer.Option(help="Sampling planner.")] = Planners.mppi,
    proposal: Annotated[
        Proposals | None, typer.Option(help="Where to look besides the last plan; default: as the task says.")
    ] = None,
    loops: Annotated[str, typer.Option(help="Iterations of a transition, or auto: early exit.")] = "auto",
    precision: Annotated[
        Precisions, typer.Option(help="Of the model's products; auto: int8 where the CPU is quicker with it.")
    ] = Precisions.float32,
    horizon: Annotated[int, typer.Option(min=0, help="Actions to look ahead; 0: as the task says.")] = 0,
    candidates: Annotated[int, typer.Option(min=0, help="Futures per refinement; 0: as the task says.")] = 0,
    world: Annotated[Worlds, typer.Option(help="What differs between episodes.")] = Worlds.randomised,
    goal: Annotated[Goals, typer.Option(help="Where the controller has the goal from.")] = Goals.seen,
    disturb: Annotated[
        Disturbances, typer.Option(help="What goes wrong in mid-episode; all: in turn.")
    ] = Disturbances.none,
    engine: Annotated[
        Engines, typer.Option(help="Physics; mujoco: the stand-in for a physical arm.")
    ] = Engines.bullet,
    validation: Annotated[
        Path | None, typer.Option(help="Its validation.json: start in shadow, arm by it, with the monitor.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Episodes at once, in lockstep.")] = 1,
    blank_camera: Annotated[bool, typer.Option("--blank-camera", help="The robot sees black.")] = False,
    camera: Annotated[str, typer.Option(help="Pixels of the camera, WxH; default: the arm's.")] = "",
    json: Annotated[Path | None, typer.Option(help="Write the summary here.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for summary.json, report.html, logs.")] = None,
    strips: Annotated[Path | None, typer.Option(help="Folder for small film strips of failures.")] = None,
    required: Annotated[float, typer.Option(min=0, max=1, help="Success rate; below it: exit 2.")] = 0.8,
) -> None:
    """Run a task in simulation, over ROS 2 in real time or in lockstep.

    Exit status: 0 if the required success rate was reached, 2 if it was not, 1 if the run failed.
    """
    from rich.console import Console

    from loopwm_ros.cli.sim_job import InRealTime, SimJob, camera_size, falls_short, loop_count
    from loopwm_ros.cli.sim_table import RunTable, print_summary
    from loopwm_ros.config import load_arm, load_task, load_world, usual_arm
    from loopwm_ros.control.assembly import MpcSettings, planner_settings
    from loopwm_ros.validation.request import RunRequest
    from loopwm_ros.validation.summary import write_summary
    from loopwm_ros.world_model.settings import WorldModelSettings

    _refuse_mixture(controller, lockstep, camera, workers, validation)
    task_settings = load_task(task)
    arm = arm or usual_arm(task_settings.name)
    arm_settings = load_arm(arm)
    model = WorldModelSettings(loops=loop_count(loops), precision=precision.value)
    search = planner_settings(
        task_settings,
        "policy" if controller is Controllers.policy else planner.value,
        horizon=horizon,
        candidates=candidates,
        proposal=proposal.value if proposal else "",
    )
    nominal = world is Worlds.nominal
    request = RunRequest(
        arm=arm_settings,
        task=task_settings.nominal() if nominal else task_settings,
        world=load_world(task_settings.world),
        controller=controller.value,
        episodes=episodes,
        seed=seed,
        bundle=usual_bundle(bundle, arm_settings, task_settings) if controller.value in WITH_BUNDLE else None,
        settings=MpcSettings(model=model, planner=search),
        blank_camera=blank_camera,
        nominal=nominal,
        goal=goal.value,
        disturb=disturb.value,
        workers=workers,
        engine=engine.value,
        validation=validation,
    )
    console = Console()
    mode = "lockstep" if lockstep else "real time over ROS 2"
    title = ", ".join((task, arm, controller.value, engine.value, mode))
    job = SimJob(request, RunTable(console, title))
    with job.table.shown():
        summary = (
            job.lockstep() if lockstep else job.realtime(InRealTime(arm, task, camera_size(camera), out))
        )
    print_summary(console, summary)
    for path in filter(None, (json, out and out / "summary.json")):
        console.print(f"summary: {write_summary(path, summary)}")
    if out:
        console.print(f"report: {job.report(out, summary)}")
    if strips:
        console.print(f"strips: {job.strips(strips, json.stem if json else task_settings.name)} in {strips}")
    if falls_short(summary, required):
        raise typer.Exit(FELL_SHORT)


def _refuse_mixture(
    controller: Controllers, lockstep: bool, camera: str, workers: int, validation: Path | None
) -> None:
    if lockstep and validation:
        raise ConfigError("--validation is for real time; in lockstep there is no safety node to arm")
    if not lockstep and workers > 1:
        raise ConfigError("--workers is for lockstep; real time has one robot")
    if not lockstep and controller is not Controllers.mpc:
        raise ConfigError(f"controller '{controller.value}' is a baseline without ROS nodes: add --lockstep")
    if lockstep and camera:
        raise ConfigError("--camera is for real time; in lockstep the camera is as the arm file says")


def usual_bundle(path: Path | None, arm: ArmConfig, task: TaskConfig) -> Bundle:
    """The bundle at `path`; without one, the shipped model of arm and task.

    Raises:
        BundleError: it is not there, or not whole.
    """
    from loopwm_ros.bundle import load_bundle
    from loopwm_ros.config import share_dir

    return load_bundle(path or share_dir() / "models" / f"{arm.name}_{task.name}")
