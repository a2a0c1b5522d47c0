"""Wall time on one core, by the robot's own runtime: the exported bundle in ONNX Runtime with one thread."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import Tensor

from loopwm_ros.config import load_arm
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.training.evaluation.flops import BATCHES, HORIZON
from loopwm_ros.training.evaluation.phases import FREE, phases
from loopwm_ros.training.evaluation.probe import CONTEXT, Probe
from loopwm_ros.training.evaluation.results import Timing
from loopwm_ros.training.evaluation.rollouts import Rule, observe
from loopwm_ros.training.evaluation.subjects import Subject
from loopwm_ros.training.export import export_bundle
from loopwm_ros.training.run import load_run
from loopwm_ros.types import F32
from loopwm_ros.validation.statistics import spread
from loopwm_ros.world_model.onnx_model import OnnxWorldModel
from loopwm_ros.world_model.settings import WorldModelSettings

FREE_BATCHES = (64, 320)  # the second as the shipped planner of clutter has
SECONDS = 2.0  # for each figure
REPEATS = (20, 300)  # fewest and most

Asked = Callable[[int], tuple[F32, F32]]  # number of a call to its states and actions


def timings(subject: Subject, probe: Probe, seen: Tensor) -> tuple[Timing, ...]:
    """Rollouts of one transition and of `HORIZON` base steps, heads called once, for 1 and 64 candidates.

    From states along the probe's windows, under actions of other windows; and transitions alone, without
    heads, that were free motion. `seen`: tokens of the observed steps, (windows, CONTEXT, tokens, width).

    Raises:
        ExportError: the exported graphs do not compute what the model does.
    """
    states = observe(subject.model, subject.spec, probe, seen, Rule(subject.spec.mean_loops)).cpu().numpy()
    trained = load_run(subject.folder)
    kinematics = Kinematics(load_arm(trained.settings.arm))
    with tempfile.TemporaryDirectory() as folder:
        bundle = export_bundle(trained, kinematics, Path(folder) / "bundle").bundle
        made = []
        for name, settings in runtimes(subject).items():
            model = OnnxWorldModel(bundle, kinematics, settings)
            made += [
                _timing(name, model, _rolled(states, probe, rows, steps), free=False)
                for steps in (subject.spec.chunk, HORIZON)
                for rows in BATCHES
            ]
            free = (_free(subject, states, probe, rows) for rows in FREE_BATCHES)
            made += [_timing(name, model, asked, free=True) for asked in free if asked]
    return tuple(made)


def runtimes(subject: Subject) -> dict[str, WorldModelSettings]:
    """The runtime's settings by name: the training mean of iterations and, where there is a loop, others."""
    fixed = WorldModelSettings(exit="none", readout_every=HORIZON)
    if not subject.looped:
        return {"mean": fixed}
    most = fixed.model_copy(update={"loops": subject.spec.max_loops})
    tolerance = subject.settings.rollout.settle_tolerance
    made = {"mean": fixed, "max": most, "gate": fixed.model_copy(update={"exit": "gate"})}
    if subject.spec.iterate == "parts":
        return made
    return {
        **made,
        "readout": fixed.model_copy(update={"exit": "readout", "readout_tolerance": tolerance}),
    }


def _rolled(states: F32, probe: Probe, rows: int, steps: int) -> Asked:
    """Actions of all windows, from one window's state after the other."""
    actions = np.resize(probe.actions[:, CONTEXT : CONTEXT + steps], (rows, steps, probe.actions.shape[-1]))
    return lambda turn: (states[turn % len(states)], np.roll(actions, turn, axis=0))


def _free(subject: Subject, states: F32, probe: Probe, rows: int) -> Asked | None:
    """The first transitions of windows, those that push nothing, from their own states; None: no such."""
    chunk = subject.spec.chunk
    whole = probe.reaching(chunk)
    windows = np.flatnonzero(phases(probe, subject.points, chunk)[:whole, 0] == FREE)
    if not len(windows):
        return None
    actions = probe.actions[:, CONTEXT : CONTEXT + chunk]

    def asked(turn: int) -> tuple[F32, F32]:
        chosen = np.resize(np.roll(windows, turn), rows)
        return states[chosen], actions[chosen]

    return asked


def _timing(name: str, model: OnnxWorldModel, asked: Asked, free: bool) -> Timing:
    def call(turn: int) -> object:
        return model.advance(*asked(turn)) if free else model.rollout(*asked(turn), 0, None)

    model.loops_seen()
    taken = measured(call)
    loops = model.loops_seen()
    rows, steps, _ = asked(0)[1].shape
    return Timing(
        loops=name,
        candidates=rows,
        base_steps=steps,
        ms=spread([1e3 * seconds for seconds in taken]),
        repeats=len(taken),
        mean_loops=float(np.arange(len(loops)) @ loops / loops.sum()),
        free=free,
    )


def measured(call: Callable[[int], object]) -> list[float]:
    """Durations of calls [s], each given its number; a few more before them warm up."""
    fewest, most = REPEATS
    for turn in range(3):
        call(turn)
    taken: list[float] = []
    while len(taken) < fewest or (len(taken) < most and sum(taken) < SECONDS):
        begin = time.perf_counter()
        call(len(taken))
        taken.append(time.perf_counter() - begin)
    return taken
