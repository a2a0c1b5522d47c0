"""Encoding and planning times of a model bundle, over candidates, loops and horizon, on one core.

    python benchmarks/planner.py --bundle models/NAME [--json FILE]

Configurations are measured in turn, round after round, so that a slow moment of the machine hits all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import onnxruntime

from loopwm_ros.bundle import Bundle, load_bundle
from loopwm_ros.config import ArmConfig, TaskConfig, load_arm, load_task
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.planning.objectives import ObjectiveFactory
from loopwm_ros.planning.search import make_planner
from loopwm_ros.planning.settings import PlannerSettings
from loopwm_ros.types import F32, JointState, Observation
from loopwm_ros.world_model.onnx_model import OnnxWorldModel
from loopwm_ros.world_model.settings import WorldModelSettings


@dataclass(frozen=True)
class Row:
    """Time of one thing measured."""

    what: str
    candidates: int
    loops: float  # mean used per transition
    horizon: int
    median_ms: float
    p99_ms: float
    cpu_ms: float  # median of the thread's CPU time: what a quiet machine would take


@dataclass
class Job:
    """One configuration and its samples."""

    what: str
    candidates: int
    horizon: int
    call: Callable[[], object]
    model: OnnxWorldModel
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    loops: list[float] = field(default_factory=list)

    def sample(self) -> None:
        """Measure once."""
        self.model.loops_seen()
        began, cpu_began = time.perf_counter(), time.thread_time()
        self.call()
        self.seconds.append(time.perf_counter() - began)
        self.cpu_seconds.append(time.thread_time() - cpu_began)
        seen = self.model.loops_seen()
        self.loops.append(float(seen @ np.arange(len(seen))) / max(int(seen.sum()), 1))

    def row(self) -> Row:
        """What was measured."""
        milliseconds = np.asarray(self.seconds) * 1e3
        return Row(
            self.what,
            self.candidates,
            round(float(np.mean(self.loops)), 2),
            self.horizon,
            round(float(np.median(milliseconds)), 3),
            round(float(np.quantile(milliseconds, 0.99)), 3),
            round(float(np.median(self.cpu_seconds)) * 1e3, 3),
        )


class Bench:
    """A bundle with everything that planning in it needs."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.arm: ArmConfig = load_arm(bundle.manifest.arm)
        self.task: TaskConfig = load_task(bundle.manifest.task)
        self.kinematics = Kinematics(self.arm)
        self.home = np.asarray(self.arm.home)
        camera = bundle.manifest.camera
        rgb = np.random.default_rng(0).integers(0, 255, (camera.height, camera.width, 3)).astype(np.uint8)
        self.observation = Observation(0.0, rgb, JointState(0.0, self.home, np.zeros_like(self.home)))

    def model(self, loops: int) -> OnnxWorldModel:
        """The world model at fixed loops, or 0 for early exit."""
        return OnnxWorldModel(self.bundle, self.kinematics, WorldModelSettings(loops=loops))

    def start(self, model: OnnxWorldModel) -> F32:
        """The state after the first observation."""
        still = np.zeros(model.spec.action_dim, dtype=np.float32)
        return model.update(model.initial_state(), model.encode(self.observation), still)

    def jobs(self, candidates: list[int], loops: list[int], horizons: list[int]) -> list[Job]:
        """Encode, update, and one plan refinement in each configuration."""
        models = {n: self.model(n) for n in loops}
        first = models[loops[0]]
        still = np.zeros(first.spec.action_dim, dtype=np.float32)
        state, encoding = self.start(first), first.encode(self.observation)
        jobs = [
            Job("encode", 1, 0, lambda: first.encode(self.observation), first),
            Job("update", 1, 1, lambda: first.update(state, encoding, still), first),
        ]
        for count, n, horizon in product(candidates, loops, horizons):
            jobs.append(Job("plan", count, horizon, self._plan(models[n], count, horizon), models[n]))
        return jobs

    def _plan(self, model: OnnxWorldModel, candidates: int, horizon: int) -> Callable[[], object]:
        settings = PlannerSettings(candidates=candidates, horizon=horizon, refinements=1)
        planner = make_planner(settings, model)
        goal = self.kinematics.tool_position(self.home) + np.array([0.1, 0.1, -0.2])
        still = np.zeros(model.spec.action_dim, dtype=np.float32)
        objective = ObjectiveFactory(self.task.objective, model.spec, self.arm.workspace)(goal, still)
        state = self.start(model)
        return lambda: planner.plan(state, objective, 1, None)


def machine() -> dict[str, str]:
    """Where the figures come from."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = lines[0].split(":", 1)[1].strip() if lines else cpu
    return {"cpu": cpu, "python": platform.python_version(), "onnxruntime": onnxruntime.__version__}


def numbers(text: str) -> list[int]:
    """`1,2,3` to a list."""
    return [int(part) for part in text.split(",")]


def arguments() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description="Encoding and planning times of a model bundle on one core.")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--candidates", type=numbers, default=[16, 32, 64, 128], help="default 16,32,64,128")
    parser.add_argument("--loops", type=numbers, default=[0, 1, 3, 8], help="0: early exit; default 0,1,3,8")
    parser.add_argument("--horizon", type=numbers, default=[8], help="actions; default 8")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    return parser.parse_args()


def main() -> None:
    """Measure, print a table, write JSON."""
    options = arguments()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    bundle = load_bundle(options.bundle)
    jobs = Bench(bundle).jobs(options.candidates, options.loops, options.horizon)
    for _ in range(options.rounds):
        for job in jobs:
            job.sample()
    rows = [job.row() for job in jobs]
    print(f"{'':8}{'candidates':>12}{'loops':>8}{'horizon':>9}{'median ms':>12}{'p99 ms':>9}{'CPU ms':>9}")
    for row in rows:
        print(
            f"{row.what:8}{row.candidates:12}{row.loops:8.2f}{row.horizon:9}"
            f"{row.median_ms:12.2f}{row.p99_ms:9.2f}{row.cpu_ms:9.2f}"
        )
    if options.json:
        result = {"bundle_sha256": bundle.sha256, "machine": machine(), "rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
