"""A suite's episodes, sorted and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from loopwm_ros.control.prediction_monitor import JOINTS
from loopwm_ros.validation.certificate import GapLimit, PartResult
from loopwm_ros.validation.journal import EpisodeRecord
from loopwm_ros.validation.statistics import wilson
from loopwm_ros.validation.suite import FAULTS, LOAD, Suite

Gaps = dict[str, dict[int, list[float]]]


@dataclass(frozen=True)
class Episodes:
    """A suite's episodes, sorted by what they are for."""

    by_part: dict[str, list[EpisodeRecord]]
    undisturbed: list[EpisodeRecord]  # the model's predictions are judged on these
    plain: list[EpisodeRecord]  # lockstep without faults
    broken: list[EpisodeRecord]  # lockstep with faults
    load: list[EpisodeRecord]


def sort_episodes(suite: Suite, records: Iterable[EpisodeRecord]) -> Episodes:
    """Sort episodes by part; within one by index."""
    by_part: dict[str, list[EpisodeRecord]] = {}
    for made in sorted(records, key=lambda made: made.result.index):
        by_part.setdefault(made.part, []).append(made)
    plain = [made for name in suite.parts for made in by_part.get(name, [])]
    calm = [
        made for name, part in suite.parts.items() if part.disturb == "none" for made in by_part.get(name, [])
    ]
    broken = [made for name, part in by_part.items() if name.startswith(f"{FAULTS}.") for made in part]
    return Episodes(by_part, calm, plain, broken, by_part.get(LOAD, []))


def gap_limits(suite: Suite, episodes: Episodes, model_period: float) -> tuple[GapLimit, ...]:
    """The range of gaps that was seen, and the monitor's limit at each step."""
    return tuple(
        GapLimit(
            name=name,
            unit="rad" if name == JOINTS else "m",
            step=step,
            offset_s=step * model_period,
            samples=len(values),
            p50=float(np.percentile(values, 50)),
            p99=float(np.percentile(values, 99)),
            limit=float(np.percentile(values, 99)) * suite.gaps.margin,
        )
        for name, steps in sorted(pooled_gaps(episodes.undisturbed).items())
        for step, values in sorted(steps.items())
    )


def part_results(episodes: Episodes, names: Iterable[str], asks_precise: bool) -> tuple[PartResult, ...]:
    """How each part's episodes ended; `asks_precise`: the task has a precise distance."""
    made = []
    for name in names:
        part = episodes.by_part.get(name, [])
        total, success, close = len(part), solved(part), precise(part)
        made.append(
            PartResult(
                name=name,
                episodes=total,
                success=success,
                success_rate=success / total if total else None,
                wilson95=wilson(success, total),
                precise=close if asks_precise else None,
                precise_rate=close / total if asks_precise and total else None,
                precise_wilson95=wilson(close, total) if asks_precise else None,
            )
        )
    return tuple(made)


def pooled_gaps(records: Iterable[EpisodeRecord]) -> Gaps:
    """All gaps [m] or, of joints, [rad], by point and transitions ahead."""
    pooled: Gaps = {}
    for made in records:
        for name, steps in made.gaps.items():
            for step, values in steps.items():
                pooled.setdefault(name, {}).setdefault(step, []).extend(values)
    return pooled


def forces(records: Iterable[EpisodeRecord], on: str) -> list[float]:
    """Contact forces [N] on "things" or "table", of all servo periods with contact."""
    return [f for made in records for f in (made.thing_forces if on == "things" else made.table_forces)]


def altered_shares(records: Sequence[EpisodeRecord]) -> tuple[float | None, dict[str, float]]:
    """Share of servo periods in which the safety gate did not just let the plan pass: of all, by reason."""
    periods = sum(made.gate_periods for made in records)
    if not periods:
        return None, {}
    reasons: Counter[str] = Counter()
    for made in records:
        reasons.update(made.altered)
    altered = sum(made.altered_periods for made in records)
    return altered / periods, {name: count / periods for name, count in reasons.most_common()}


def solved(records: Iterable[EpisodeRecord]) -> int:
    """Episodes that succeeded."""
    return sum(made.result.success for made in records)


def precise(records: Iterable[EpisodeRecord]) -> int:
    """Episodes that held the precise distance, too."""
    return sum(made.result.precise_time_s is not None for made in records)
