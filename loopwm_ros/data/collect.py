"""Collects training episodes in simulation, through the robot's own command path."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationError

from loopwm_ros.backends.base import Backend
from loopwm_ros.bullet.camera import shown
from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.bullet.disturb import DISTURBANCES, Disturbance
from loopwm_ros.bundle import Bundle, load_bundle
from loopwm_ros.config import (
    ArmConfig,
    Settings,
    TaskConfig,
    WorldConfig,
    load_arm,
    load_settings,
    load_task,
    load_world,
)
from loopwm_ros.config.recipe import Recipe
from loopwm_ros.config.task import TOOL
from loopwm_ros.control.assembly import MpcSettings, build_gate, build_mpc, planner_settings
from loopwm_ros.control.goal import GoalSettings
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.lockstep import Lockstep
from loopwm_ros.control.mpc_controller import MpcController
from loopwm_ros.data.behaviours import PLANNED, PUSHING, REACHING, build_behaviour, draw_behaviour
from loopwm_ros.data.pool import ordered_map
from loopwm_ros.data.recorder import LabelledRecorder
from loopwm_ros.data.writer import EpisodeWriter
from loopwm_ros.errors import ConfigError
from loopwm_ros.types import F64, CameraFrame, JointState
from loopwm_ros.validation.files import write_text_atomically

COLLECTION = "collection.json"
UNREAD = ("planner", "objective", "look")  # of a task, where nothing plans
PLANS_DURATION = 10.0  # of an episode in which a model plans, whose mistakes show late [s]


class Collection(Settings):
    """All that the episodes of one folder depend on, apart from their number."""

    arm: ArmConfig
    task: TaskConfig
    world: WorldConfig
    seed: int = Field(ge=0)
    duration: float = Field(6.0, gt=0, description="of an episode [s]")
    behaviours: dict[str, float] = Field(min_length=1, description="share of each")
    disturbed: float = Field(0.0, ge=0, le=1, description="share of episodes in which something happens")
    unmarked: float = Field(0.0, ge=0, le=1, description="share of episodes in which marks are not shown")
    bundle: Path | None = Field(None, description="folder of the model that plans, for behaviour 'plans'")
    bundle_sha256: str = ""

    def name(self, index: int) -> str:
        """Folder of one episode."""
        return f"{index:06d}"


@dataclass(frozen=True)
class Collected:
    """What a worker did about one episode."""

    index: int
    kept: bool  # it was there already


def usual_collection(
    arm: ArmConfig, task: TaskConfig, world: WorldConfig, seed: int, bundle: Bundle | None = None
) -> Collection:
    """What a task's training data is made of; with a `bundle`, what there is to learn from its own plans.

    Where objects are moved, some episodes are disturbed and some have no marks: a goal may also be given as a
    position or an image.
    """
    kept: dict[str, Any] = {"behaviours": REACHING}
    if task.moved != TOOL:
        kept = {"behaviours": PUSHING, "disturbed": 0.25, "unmarked": 0.3}
    if bundle is not None:
        model = {"bundle": bundle.root, "bundle_sha256": bundle.sha256}
        kept |= {"behaviours": PLANNED, "duration": PLANS_DURATION, **model}
    return Collection(arm=arm, task=task, world=world, seed=seed, **kept)


@dataclass(frozen=True)
class Part:
    """One collection of a data set."""

    name: str
    collection: Collection
    episodes: int


def recipe_parts(recipe: Recipe) -> list[Part]:
    """The collections of a recipe.

    Raises:
        ConfigError: a part that does not fit the task.
    """
    arm, task = load_arm(recipe.arm), load_task(recipe.task)
    world, parts = load_world(task.world), []
    for name, part in recipe.parts.items():
        try:
            applied = part.applied(task)
        except ValueError as error:
            said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise ConfigError(f"part '{name}' does not fit task '{task.name}': {said}") from error
        kept = part.model_dump(include={"seed", "duration", "behaviours", "disturbed", "unmarked"})
        collection = Collection(arm=arm, task=applied, world=world, **kept)
        parts.append(Part(name, collection, part.episodes))
    return parts


def collect(
    collection: Collection, out: Path, episodes: int, workers: int, on_episode: Callable[[Collected], None]
) -> None:
    """Record episodes 0 to `episodes` - 1 below `out`; those already there are kept.

    Each episode depends only on the collection and its own number, so a run that was stopped goes on
    where it was, and more episodes can be added later.

    Raises:
        ConfigError: `out` holds episodes of another collection.
        BagError: an episode cannot be written; those before it are whole.
    """
    _claim(collection, out)
    record = functools.partial(_record, out=out, collection_json=collection.model_dump_json())
    for collected in ordered_map(record, range(episodes), workers):
        on_episode(collected)


def _claim(collection: Collection, out: Path) -> None:
    """Note in `out` what it holds, or check that it is the same, but for what its episodes hardly depend on.

    That is what only planners read, where none plans, and where a bundle lies.
    """
    path = out / COLLECTION
    if path.is_file():
        there = load_settings(path, Collection)
        unread = {} if collection.bundle else {key: getattr(collection.task, key) for key in UNREAD}
        task = there.task.model_copy(update=unread)
        there = there.model_copy(update={"task": task, "bundle": collection.bundle})
        if there != collection:
            different = [k for k, v in collection if getattr(there, k) != v]
            raise ConfigError(
                f"{out} holds episodes of another collection (different: {', '.join(different)}); "
                "choose another folder or the same settings"
            )
        return
    out.mkdir(parents=True, exist_ok=True)
    write_text_atomically(path, collection.model_dump_json(indent=2) + "\n")


def _record(index: int, out: Path, collection_json: str) -> Collected:
    collector = _collector(collection_json)
    path = out / collector.collection.name(index)
    if path.exists():
        return Collected(index, kept=True)
    collector.record(index, path)
    return Collected(index, kept=False)


@functools.lru_cache(maxsize=1)
def _collector(collection_json: str) -> Collector:
    return Collector(Collection.model_validate_json(collection_json))


class _Disturbed:
    """The cell, with what the collection adds to an episode: no marks, or a disturbance."""

    def __init__(self, cell: BulletCell, collection: Collection, rng: np.random.Generator) -> None:
        self._cell, self._task = cell, collection.task
        self._hidden: list[str] = []
        self._disturbance: Disturbance | None = None
        if collection.unmarked and rng.random() < collection.unmarked:
            self._hidden = [name for name, thing in self._task.objects.items() if thing.shape == "mark"]
        if collection.disturbed and rng.random() < collection.disturbed:
            name = DISTURBANCES[int(rng.integers(len(DISTURBANCES)))]
            self._disturbance = Disturbance(name, float(rng.uniform(0.1, 0.8)) * collection.duration, rng)

    @property
    def now(self) -> float:
        return self._cell.now

    def reset(self, seed: int) -> None:
        self._cell.reset(seed, hidden=self._hidden)

    def step(self, command: F64 | None) -> None:
        if self._disturbance is not None:
            self._disturbance.update(self._cell, self._task, self._cell.now)
        self._cell.step(command)

    def joint_state(self) -> JointState:
        return self._cell.joint_state()

    def new_frame(self) -> CameraFrame | None:
        return self._cell.new_frame()


class Collector:
    """One process' simulator."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self._kinematics = Kinematics(collection.arm)  # first: it names mistakes in the arm file
        self._cell = BulletCell(collection.arm, collection.task, collection.world)
        self._planner = self._planning(collection.bundle) if collection.bundle else None

    def _planning(self, folder: Path) -> MpcController:
        """The task's planner with the model of a bundle, which is told its goals."""
        collection, bundle = self.collection, load_bundle(folder)
        if bundle.sha256 != collection.bundle_sha256:
            raise ConfigError(f"{folder} holds another model now than when this collection began")
        settings = MpcSettings(
            planner=planner_settings(collection.task, "mppi"), goal=GoalSettings(source="position")
        )
        arm, period = collection.arm, 1.0 / collection.world.control_rate
        camera = arm.camera.width, arm.camera.height
        mpc = build_mpc(bundle, arm, collection.task, self._kinematics, period, settings, camera)
        return mpc.controller(lambda _: None)

    def record(self, index: int, path: Path) -> None:
        """Run and write one episode."""
        collection = self.collection
        rng = np.random.default_rng([collection.seed, index])
        seed = int(rng.integers(2**31))
        behaviour = draw_behaviour(rng, collection.behaviours)
        writer = EpisodeWriter(path, collection.arm, shown(collection.arm.camera))
        try:
            backend = _Disturbed(self._cell, collection, rng)
            loop = self._loop(behaviour, rng, writer, backend)
            loop.reset(seed)
            for _ in range(round(collection.duration * collection.world.servo_rate)):
                loop.step()
        except BaseException:
            writer.discard()
            raise
        writer.close(self._metadata(index, behaviour))

    def _loop(
        self, behaviour: str, rng: np.random.Generator, writer: EpisodeWriter, backend: Backend
    ) -> Lockstep:
        collection, world = self.collection, self.collection.world
        controller = build_behaviour(
            behaviour,
            rng,
            self._kinematics,
            collection.arm,
            collection.task,
            1.0 / world.control_rate,
            self._cell,
            self._planner,
        )
        gate = build_gate(self._kinematics, collection.arm, 1.0 / world.servo_rate)
        recorder = LabelledRecorder(writer, self._cell, collection.task)
        return Lockstep(backend, gate, controller, round(world.servo_rate / world.control_rate), recorder)

    def _metadata(self, index: int, behaviour: str) -> dict[str, str]:
        collection = self.collection
        return {
            "arm": collection.arm.name,
            "behaviour": behaviour,
            "episode": str(index),
            "seed": str(collection.seed),
            "task": collection.task.name,
        }
