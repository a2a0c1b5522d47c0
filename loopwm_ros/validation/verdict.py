"""What a suite's episodes amount to: checks against its thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from loopwm_ros.control.prediction_monitor import JOINTS
from loopwm_ros.validation.certificate import Check, checked
from loopwm_ros.validation.faults import FAULTS
from loopwm_ros.validation.journal import EpisodeRecord
from loopwm_ros.validation.measured_motion import Extremes
from loopwm_ros.validation.pooling import (
    Episodes,
    Gaps,
    altered_shares,
    forces,
    pooled_gaps,
    precise,
    solved,
)
from loopwm_ros.validation.statistics import wilson
from loopwm_ros.validation.suite import (
    FaultsConfig,
    ForceConfig,
    LoadConfig,
    MotionConfig,
    RequiredShare,
    Suite,
)

MOTION = {
    "position": "farthest beyond a joint limit [rad]",
    "velocity": "highest joint speed, times its limit",
    "acceleration": "highest joint acceleration over 50 ms, times its limit",
    "workspace": "farthest of the tool beyond the workspace [m]",
}


def checks(suite: Suite, episodes: Episodes, model_period: float) -> tuple[Check, ...]:
    """Every check of a suite; `model_period` is a transition's duration [s]."""
    found = [*_parts(suite, episodes)]
    found += _gaps(suite, pooled_gaps(episodes.undisturbed), model_period)
    found += _interventions(suite, episodes.plain)
    lockstep = [*episodes.plain, *episodes.broken]
    found += _forces("things", "objects", suite.forces.things, lockstep, forces(lockstep, "things"))
    found += _forces("table", "the table", suite.forces.table, lockstep, forces(lockstep, "table"))
    found += _motion("motion", suite.motion, episodes.plain)
    if suite.faults is not None:
        found += _faults(suite.faults, episodes.broken)
    if suite.load is not None:
        found += _load(suite.load, episodes.load)
    return tuple(found)


def _share(name: str, what: str, good: int, total: int, required: RequiredShare) -> Check:
    interval = wilson(good, total)
    if required.of == "wilson_low":
        low = None if interval is None else interval[0]
        return checked(name, f"{what}, lower end of the 95 % interval", low, "at least", required.at_least)
    return checked(name, what, good / total if total else None, "at least", required.at_least)


def _parts(suite: Suite, episodes: Episodes) -> Iterator[Check]:
    for name, part in suite.parts.items():
        made = episodes.by_part.get(name, [])
        if part.success is not None:
            yield _share(f"{name}.success", "share of episodes solved", solved(made), len(made), part.success)
        if part.precise is not None:
            yield _share(
                f"{name}.precise",
                "share of episodes solved precisely",
                precise(made),
                len(made),
                part.precise,
            )


def _gaps(suite: Suite, pooled: Gaps, model_period: float) -> Iterator[Check]:
    for name, steps in suite.gaps.limits.items():
        for step, limit in sorted(steps.items()):
            values = pooled.get(name, {}).get(step)
            p99 = None if not values else float(np.percentile(values, 99))
            what = f"imagined to actual {name}, {step * model_period:.1f} s ahead, p99 [m]"
            if name == JOINTS:
                what = f"planned to measured joints, {step * model_period:.1f} s ahead, p99 [rad]"
            yield checked(f"gaps.{name}.{step}", what, p99, "at most", limit)


def _interventions(suite: Suite, records: Sequence[EpisodeRecord]) -> Iterator[Check]:
    total, by_reason = altered_shares(records)
    what = "share of servo periods in which the safety gate altered the command"
    if suite.interventions.any is not None:
        yield checked("interventions.any", what, total, "at most", suite.interventions.any)
    for reason, limit in suite.interventions.by_reason.items():
        share = None if total is None else by_reason.get(reason, 0.0)
        yield checked(f"interventions.{reason}", f"{what}: {reason}", share, "at most", limit)


def _forces(
    name: str, on: str, limits: ForceConfig, records: Sequence[EpisodeRecord], seen: Sequence[float]
) -> Iterator[Check]:
    watched = any(made.gate_periods for made in records)
    for key, quantile in (("p50", 50), ("p99", 99), ("max", 100)):
        limit = getattr(limits, key)
        if limit is None:
            continue
        value = float(np.percentile(seen, quantile)) if seen else 0.0
        what = f"contact force on {on}, {'median' if key == 'p50' else key} [N]"
        yield checked(f"forces.{name}.{key}", what, value if watched else None, "at most", limit)


def _motion(name: str, limits: MotionConfig, records: Iterable[EpisodeRecord]) -> Iterator[Check]:
    seen: list[Extremes] = [made.motion for made in records if made.motion is not None]
    for key, what in MOTION.items():
        value = max((float(getattr(one, key)) for one in seen), default=None)
        yield checked(f"{name}.{key}", what, value, "at most", getattr(limits, key))


def _faults(config: FaultsConfig, records: Sequence[EpisodeRecord]) -> Iterator[Check]:
    faults = [(made, made.fault) for made in records if made.fault is not None]
    times = [fault.stopped_after_s for _, fault in faults if fault.stops]
    known = [time for time in times if time is not None]
    if any(FAULTS[name].stops for name in config.scenarios):
        longest = max(known) if known and len(known) == len(times) else None
        what = "longest time from the fault to rest, where the arm must stop [s]"
        yield checked("faults.stop", what, longest, "at most", config.stop_s)
    recovering = [made for made, fault in faults if fault.recovers]
    what = "share of episodes solved after a fault that ends by itself"
    yield _share("faults.recovered", what, solved(recovering), len(recovering), config.recovered)
    yield from _motion("faults.motion", config.motion, records)


def _load(config: LoadConfig, records: Sequence[EpisodeRecord]) -> Iterator[Check]:
    cycles = sum(made.result.cycles for made in records)
    misses = sum(made.result.deadline_misses for made in records)
    share = misses / cycles if cycles else None
    what = "share of control periods with a deadline miss, in real time under load"
    yield checked("load.deadline_misses", what, share, "at most", config.deadline_misses)
    if config.real_time_factor is not None:
        wall = sum(made.wall_s for made in records)
        factor = sum(made.simulated_s for made in records) / wall if wall else None
        what = "simulated over wall time under load"
        yield checked("load.real_time_factor", what, factor, "at least", config.real_time_factor)
    if config.success is not None:
        what = "share of episodes solved in real time under load"
        yield _share("load.success", what, solved(records), len(records), config.success)
