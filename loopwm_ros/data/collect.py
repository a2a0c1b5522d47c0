"""Collects training episodes in simulation, through the robot's own command path."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import ArmConfig, Settings, TaskConfig, WorldConfig, load_settings
from loopwm_ros.control.assembly import build_gate
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.lockstep import Lockstep
from loopwm_ros.data.behaviours import SHARES, build_behaviour, draw_behaviour
from loopwm_ros.data.pool import ordered_map
from loopwm_ros.data.recorder import LabelledRecorder
from loopwm_ros.data.writer import EpisodeWriter
from loopwm_ros.errors import ConfigError

COLLECTION = "collection.json"


class Collection(Settings):
    """All that the episodes of one folder depend on, apart from their number."""

    arm: ArmConfig
    task: TaskConfig
    world: WorldConfig
    seed: int = Field(ge=0)
    duration: float = Field(6.0, gt=0, description="of an episode [s]")
    behaviours: dict[str, float] = Field(SHARES, min_length=1, description="share of each")

    def name(self, index: int) -> str:
        """Folder of one episode."""
        return f"{index:06d}"


@dataclass(frozen=True)
class Collected:
    """What a worker did about one episode."""

    index: int
    kept: bool  # it was there already


def collect(
    collection: Collection, out: Path, episodes: int, workers: int, on_episode: Callable[[Collected], None]
) -> None:
    """Record episodes 0 to `episodes` - 1 below `out`; those already there are kept.

    Each episode depends only on the collection and its own number, so a run that was stopped goes on
    where it was, and more episodes can be added later.

    Raises:
        ConfigError: `out` holds episodes of another collection.
    """
    _claim(collection, out)
    record = functools.partial(_record, out=out, collection_json=collection.model_dump_json())
    for collected in ordered_map(record, range(episodes), workers):
        on_episode(collected)


def _claim(collection: Collection, out: Path) -> None:
    """Note in `out` what it holds, or check that it is the same."""
    path = out / COLLECTION
    if path.is_file():
        there = load_settings(path, Collection)
        if there != collection:
            different = [k for k, v in collection if getattr(there, k) != v]
            raise ConfigError(
                f"{out} holds episodes of another collection (different: {', '.join(different)}); "
                "choose another folder or the same settings"
            )
        return
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(collection.model_dump_json(indent=2) + "\n", encoding="utf-8")


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


class Collector:
    """One process' simulator."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self._kinematics = Kinematics(collection.arm)  # first: it names mistakes in the arm file
        self._cell = BulletCell(collection.arm, collection.task, collection.world)

    def record(self, index: int, path: Path) -> None:
        """Run and write one episode."""
        collection = self.collection
        rng = np.random.default_rng([collection.seed, index])
        seed = int(rng.integers(2**31))
        behaviour = draw_behaviour(rng, collection.behaviours)
        writer = EpisodeWriter(path, collection.arm, collection.world.camera)
        try:
            loop = self._loop(behaviour, rng, writer)
            loop.reset(seed)
            for _ in range(round(collection.duration * collection.world.servo_rate)):
                loop.step()
        except BaseException:
            writer.discard()
            raise
        writer.close(self._metadata(index, behaviour))

    def _loop(self, behaviour: str, rng: np.random.Generator, writer: EpisodeWriter) -> Lockstep:
        collection, world = self.collection, self.collection.world
        controller = build_behaviour(
            behaviour,
            rng,
            self._kinematics,
            collection.arm,
            collection.task,
            1.0 / world.control_rate,
            lambda: self._cell.truth().ball,
        )
        gate = build_gate(self._kinematics, collection.arm, 1.0 / world.servo_rate)
        recorder = LabelledRecorder(writer, self._cell, collection.task)
        return Lockstep(self._cell, gate, controller, round(world.servo_rate / world.control_rate), recorder)

    def _metadata(self, index: int, behaviour: str) -> dict[str, str]:
        collection = self.collection
        return {
            "arm": collection.arm.name,
            "behaviour": behaviour,
            "episode": str(index),
            "seed": str(collection.seed),
            "task": collection.task.name,
        }
