"""What a comparison came to: each model in each regime, and pairs of models on the same episodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from pydantic import Field
from scipy.stats import binomtest

from benchmarks.closed_loop.conditions import Harness
from benchmarks.closed_loop.rows import EpisodeRow, Machine
from benchmarks.closed_loop.settings import Comparison, Regime
from loopwm_ros.validation.statistics import (
    Counts,
    LoopsUsed,
    Record,
    Spread,
    counts,
    loops_used,
    median,
    spread,
    wilson,
)


class Share(Record):
    """Episodes of which something is true."""

    count: int
    rate: float | None
    wilson95: tuple[float, float] | None


class Outcome(Record):
    """One model in one regime."""

    regime: Regime
    model: str
    bundles_sha256: tuple[str, ...]
    episodes: int
    success: Share
    precise: Share | None = Field(description="None: the task has no precise distance")
    median_time_to_success_s: float | None = Field(description="over the episodes that succeeded")
    median_precise_time_s: float | None
    median_final_distance_m: float | None
    planning_ms: Spread = Field(description="from an image to the plan, on the clock of the budget")
    over_budget: float | None = Field(description="share of plans that took longer")
    unsearched: float | None = Field(description="share of plans without one finished refinement")
    candidates: Counts = Field(description="of plans with one")
    refinements: Counts
    loops: LoopsUsed
    why: dict[str, int] = Field(description="failures and missed precise distances by reason")


class Pair(Record):
    """Two models on the episodes that both drove."""

    regime: Regime
    model: str
    reference: str
    measure: str = Field(description="success or precise")
    episodes: int
    only_model: int
    only_reference: int
    p: float = Field(description="exact McNemar test, two-sided, not corrected for the number of tests")
    disjoint: bool = Field(description="their 95 % Wilson intervals do not overlap")


class Summary(Record):
    """A whole comparison."""

    comparison: Comparison
    machine: Machine
    git_revisions: tuple[str, ...]
    median_load: float | None = Field(description="processes that wanted a core; ours is one of them")
    success_distance_m: dict[str, float] = Field(description="by task")
    precise_distance_m: dict[str, float | None]
    outcomes: tuple[Outcome, ...]
    pairs: tuple[Pair, ...]


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided exact p that a difference of paired proportions is chance (Q. McNemar, 1947)."""
    apart = only_a + only_b
    return float(binomtest(only_a, apart).pvalue) if apart else 1.0


def summarise(
    comparison: Comparison, harness: Harness, machine: Machine, rows: Iterable[EpisodeRow]
) -> Summary:
    """Everything that the comparison's settings ask for and that was run; other rows are left out."""
    found = {(made.conditions_sha256, made.result.index): made for made in rows}
    outcomes: list[Outcome] = []
    pairs: list[Pair] = []
    used: list[EpisodeRow] = []
    for regime in comparison.regimes:
        by_model = {model: _rows(comparison, harness, regime, model, found) for model in comparison.models}
        used += [made for those in by_model.values() for made in those]
        of_regime = {model: _outcome(regime, model, harness, those) for model, those in by_model.items()}
        outcomes += of_regime.values()
        for model in by_model:
            if model != comparison.chosen:
                pairs += _pairs(regime, model, comparison.chosen, by_model, of_regime)
    tasks = {regime.task: harness.task(regime.task) for regime in comparison.regimes}
    return Summary(
        comparison=comparison,
        machine=machine,
        median_load=median([made.load for made in used]),
        git_revisions=tuple(sorted({made.git_revision for made in used})),
        success_distance_m={name: task.success_distance for name, task in tasks.items()},
        precise_distance_m={name: task.precise_distance for name, task in tasks.items()},
        outcomes=tuple(outcomes),
        pairs=tuple(pairs),
    )


def _rows(
    comparison: Comparison,
    harness: Harness,
    regime: Regime,
    model: str,
    found: dict[tuple[str, int], EpisodeRow],
) -> list[EpisodeRow]:
    """A model's episodes in a regime, by index, as far as they were run."""
    hashes = [harness.conditions(regime, model, r).sha256 for r in range(comparison.replicates)]
    keys = ((hashes[index % len(hashes)], index) for index in range(comparison.episodes))
    return [found[key] for key in keys if key in found]


def _outcome(regime: Regime, model: str, harness: Harness, rows: Sequence[EpisodeRow]) -> Outcome:
    results = [made.result for made in rows]
    coarse = harness.task(regime.task).precise_distance is None
    times = [time for made in rows for time in made.planning_ms]
    refinements = [count for made in rows for count in made.refinements]
    candidates = [count for made in rows for count in made.candidates]
    loops: Counter[int] = Counter()
    for made in rows:
        loops.update(made.loops)
    histogram = np.array([loops[count] for count in range(max(loops, default=0) + 1)], dtype=np.int64)
    return Outcome(
        regime=regime,
        model=model,
        bundles_sha256=tuple(harness.bundles(model)),
        episodes=len(rows),
        success=_share([result.success for result in results]),
        precise=None if coarse else _share([made.precise for made in rows]),
        median_time_to_success_s=median([t for r in results if (t := r.time_to_success_s) is not None]),
        median_precise_time_s=median([t for r in results if (t := r.precise_time_s) is not None]),
        median_final_distance_m=median([result.final_distance_m for result in results]),
        planning_ms=spread(times),
        over_budget=_mean([time > regime.budget_ms for time in times]),
        unsearched=_mean([count == 0 for count in refinements]),
        candidates=counts([c for c, r in zip(candidates, refinements, strict=True) if r]),
        refinements=counts(refinements),
        loops=loops_used(histogram),
        why=dict(Counter(result.why for result in results if result.why is not None).most_common()),
    )


def _share(values: Sequence[bool]) -> Share:
    return Share(count=sum(values), rate=_mean(values), wilson95=wilson(sum(values), len(values)))


def _mean(values: Sequence[bool]) -> float | None:
    return float(np.mean(values)) if values else None


def _pairs(
    regime: Regime,
    model: str,
    reference: str,
    rows: dict[str, list[EpisodeRow]],
    outcomes: dict[str, Outcome],
) -> list[Pair]:
    """A model and the reference, by both measures; only over episodes that both drove."""
    mine, theirs = ({made.result.index: made for made in rows[name]} for name in (model, reference))
    both = sorted(mine.keys() & theirs.keys())
    found = []
    measures = ("success",) if outcomes[model].precise is None else ("success", "precise")
    for measure in measures:
        won = [(_held(mine[i], measure), _held(theirs[i], measure)) for i in both]
        only_model, only_reference = won.count((True, False)), won.count((False, True))
        shares = [getattr(outcomes[name], measure).wilson95 for name in (model, reference)]
        found.append(
            Pair(
                regime=regime,
                model=model,
                reference=reference,
                measure=measure,
                episodes=len(both),
                only_model=only_model,
                only_reference=only_reference,
                p=mcnemar(only_model, only_reference),
                disjoint=None not in shares and _disjoint(*shares),
            )
        )
    return found


def _held(made: EpisodeRow, measure: str) -> bool:
    return made.result.success if measure == "success" else made.precise


def _disjoint(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[1] < b[0] or b[1] < a[0]
