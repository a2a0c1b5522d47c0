"""The JSON of an evaluation. Lengths in metres, angles in radians, times in the unit that a name ends in."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from loopwm_ros.model_spec import Iterate
from loopwm_ros.training.evaluation.intervals import Interval
from loopwm_ros.validation.statistics import Record, Spread

Curve = dict[int, Interval]  # by horizon [base steps]
Errors = dict[str, Curve]  # by measure


class Run(Record):
    """One run of a group."""

    folder: str = Field(description="its name, and that of the folder it is in")
    seed: int
    git_revision: str
    data_sha256: str
    encoder_sha256: str


class Part(Record):
    """One folder of test recordings."""

    name: str
    data_sha256: str
    episodes: int
    windows: int
    still: Errors = Field(description="of predicting that nothing moves")


class LoopsByPhase(Record):
    """Iterations of imagined transitions, by what happens in them; None where there is no such transition."""

    all: Interval | None
    free: Interval | None
    onset: Interval | None
    sustained: Interval | None
    onset_to_free: Interval | None = Field(description="mean at onsets to mean in free motion")
    histogram: dict[str, list[int]] = Field(description="by phase: transitions of 0, 1, 2, ... iterations")


class Depth(Record):
    """A fixed number of iterations."""

    loops: int
    errors: Errors
    against_full: Errors = Field(description="ratios to the errors of max_loops iterations")


class Exit(Record):
    """An exit test, with at most max_loops iterations."""

    test: str
    threshold: float
    loops: LoopsByPhase
    errors: Errors
    against_full: Errors = Field(description="ratios to the errors of max_loops iterations")


class Looping(Record):
    """What iterations do."""

    depths: tuple[Depth, ...]
    exits: tuple[Exit, ...]
    needed: LoopsByPhase = Field(description="until the read-out settles near that of max_loops iterations")


class TransitionErrors(Record):
    """Errors after one whole transition, by what happens in it."""

    loops: str = Field(description="iterations, or: gate")
    errors: dict[str, dict[str, Interval]] = Field(description="by phase and measure")


class Flops(Record):
    """Floating-point operations, multiplication and addition counted as two."""

    graphs: dict[str, int] = Field(description="one candidate; block: one iteration")
    transition: dict[int, int] = Field(description="by candidates, with mean_loops iterations; no heads")
    rollout: dict[int, int] = Field(description="by candidates: 64 base steps, heads called once")


class Timing(Record):
    """Duration of a rollout by ONNX Runtime with one thread, heads called once."""

    loops: str = Field(description="mean, max: that many; gate, readout: as that exit test says")
    candidates: int
    base_steps: int = Field(description="the chunk: one transition")
    ms: Spread
    repeats: int
    mean_loops: float = Field(description="iterations of a transition")
    free: bool = Field(
        False, description="of free motion, each candidate from where a window had some, heads not called"
    )


class Costs(Record):
    """What a model of a group costs."""

    parameters: dict[str, int] = Field(description="by part")
    flops: Flops
    timings: tuple[Timing, ...] = Field(description="empty where the export was refused")


class SeedStability(Record):
    """One run over a thousand steps."""

    seed: int
    largest_rms: float = Field(description="of the state's values, in any window at any step looked at")
    growth: dict[str, Interval | None] = Field(
        description="exponent p of error ~ K^p after the first 10 steps; 1: linear"
    )


class Stability(Record):
    """Rollouts of a thousand steps."""

    curves: Errors = Field(description="tool, object [m] and state_rms")
    seeds: tuple[SeedStability, ...]


class Quantiles(Record):
    """Of some figures."""

    p5: float
    p50: float
    p95: float
    max: float
    count: int


class Gain(Record):
    """Largest singular values of the update's Jacobian, at states along real rollouts."""

    transition: Quantiles
    iteration: Quantiles | None = Field(description="None where there is no loop")
    retained: Quantiles | None = Field(description="entries of Abar; None where there is none")


class Group(Record):
    """Runs that differ in their seed alone."""

    label: str
    runs: tuple[Run, ...]
    chunk: int = Field(description="actions of a whole imagined transition")
    mean_loops: int
    max_loops: int
    iterate: Iterate = Field("block", description="what an iteration is (ModelSpec)")
    prediction: dict[str, Errors] = Field({}, description="by part, with mean_loops iterations a transition")
    looping: dict[str, Looping] = Field({}, description="by part; empty where there is no loop")
    transition: dict[str, tuple[TransitionErrors, ...]] = Field({}, description="by part")
    costs: Costs | None = Field(None, description="of the first run")
    stability: dict[str, Stability] = Field({}, description="by part of long episodes")
    gain: dict[str, tuple[Gain, ...]] = Field({}, description="by part: of each run")


class Evaluation(Record):
    """All groups on all parts."""

    created: datetime
    task: str
    period_s: float = Field(description="one base step")
    context: int = Field(description="observed steps before the first imagined one")
    parts: tuple[Part, ...]
    groups: tuple[Group, ...]
