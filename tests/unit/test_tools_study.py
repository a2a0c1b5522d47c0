"""The section of docs/results.md on the study of cores: its tables, and what it says was shown."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from loopwm_ros.training.evaluation.intervals import Interval
from loopwm_ros.training.evaluation.results import (
    Costs,
    Depth,
    Evaluation,
    Exit,
    Flops,
    Group,
    Looping,
    LoopsByPhase,
    Part,
    Run,
    SeedStability,
    Stability,
    Timing,
)
from loopwm_ros.validation.statistics import Spread

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("test-one", "test-chain", "test-fast", "shifted-heavy")


@pytest.fixture
def section(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import study_section

    return study_section


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import study_claims

    return study_claims


def around(mean: float) -> Interval:
    return Interval(mean=mean, low=0.9 * mean, high=1.1 * mean, windows=100, episodes=10)


def errors(moved: float) -> dict[str, dict[int, Interval]]:
    return {
        "tool": {25: around(0.01)},
        "object_moved": {25: around(moved)},
        "object_static": {25: around(0.02)},
    }


def costs(parameters: int, transition: int, ms: dict[str, float]) -> Costs:
    graphs = {"prelude": 100, "block": 200, "coda": 0, "heads": 100}
    flops = Flops(graphs=graphs, transition={1: transition}, rollout={1: 8 * transition})
    timings = tuple(
        Timing(
            loops=name,
            candidates=64,
            base_steps=8,
            ms=Spread(p50=p50, p99=2 * p50, max=3 * p50),
            repeats=9,
            mean_loops=2,
            free=free,
        )
        for name, p50 in ms.items()
        for free in (False, True)
    )
    return Costs(parameters={"core": parameters}, flops=flops, timings=timings)


def group(label: str, moved: float, cost: Costs, **more: Any) -> Group:
    run = Run(folder=label, seed=0, git_revision="r", data_sha256="d", encoder_sha256="e")
    prediction = dict.fromkeys(PARTS, errors(moved))
    base = {"label": label, "runs": (run,), "chunk": 8, "mean_loops": 4, "max_loops": 8}
    return Group(**base, prediction=prediction, costs=cost, **more)


def exit_of(test: str, threshold: float, free: float, onset: float, ratio: float) -> Exit:
    by_phase = LoopsByPhase(
        all=around(free),
        free=around(free),
        onset=around(onset),
        sustained=around(onset),
        onset_to_free=around(onset / free),
        histogram={},
    )
    against = {"object_moved": {25: around(ratio)}, "object_static": {25: around(1.0)}}
    return Exit(
        test=test, threshold=threshold, loops=by_phase, errors=errors(0.03 * ratio), against_full=against
    )


def looping(static: float = 1.0, own: float = 0.1) -> Looping:
    """`own`: the threshold that the model's settings have."""
    against = {"object_moved": {25: around(1.01)}, "object_static": {25: around(static)}}
    exits = (
        exit_of("gate", 0.05, 1.0, 1.2, 1.2),
        exit_of("gate", own, 2.0, 4.0, 1.01),
        exit_of("change", 0.5, 3.0, 3.0, 1.0),
    )
    return Looping(
        depths=tuple(Depth(loops=n, errors=errors(0.03), against_full=against) for n in (4, 8, 16)),
        exits=exits,
        needed=exits[0].loops,
    )


def stable(*exponents: float) -> dict[str, Stability]:
    seeds = tuple(
        SeedStability(seed=i, largest_rms=0.5, growth={"tool": around(p), "object": None})
        for i, p in enumerate(exponents)
    )
    return {"long-one": Stability(curves={}, seeds=seeds)}


def loop(**more: Any) -> Group:
    values = {"looping": dict.fromkeys(PARTS, looping()), "stability": stable(0.4, 0.7)}
    cost = more.pop("costs", costs(1000, 900, {"mean": 2.0, "gate": 1.0}))
    return group("loop", 0.03, cost, **(values | more))


def evaluation(*groups: Group) -> Evaluation:
    parts = tuple(
        Part(name=name, data_sha256="d", episodes=10, windows=100, still=errors(0.08)) for name in PARTS
    )
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    return Evaluation(created=now, task="clutter", period_s=0.1, context=8, parts=parts, groups=groups)


def said(claims: ModuleType, *groups: Group) -> dict[str, tuple[str, bool | None]]:
    return {claim.what: (claim.found, claim.held) for claim in claims.claims(evaluation(*groups))}


def parts(**more: Any) -> Group:
    """A loop that iterates over parts."""
    values = {"iterate": "parts", "looping": dict.fromkeys(PARTS, looping(own=0.8)), **more}
    return loop(**values).model_copy(update={"label": "loop-parts"})


def verdict(found: dict[str, tuple[str, bool | None]], begins: str) -> tuple[str, bool | None]:
    return next(value for what, value in found.items() if what.startswith(begins))


def test_the_smallest_core_as_good_as_the_loop_counts(claims: ModuleType) -> None:
    worse = group("depth-3", 0.031, costs(500, 600, {}))
    good = group("depth-4", 0.03, costs(2000, 600, {}))
    large = group("depth-16x", 0.02, costs(16000, 600, {}))
    found = said(claims, loop(), worse, good, large)
    assert verdict(found, "smallest") == ("2.00 times (depth-4)", False)
    assert verdict(said(claims, loop(), worse, large), "smallest") == ("16.00 times (depth-16x)", True)
    none = "none of 1 is, up to 0.5 times the parameters"
    assert verdict(said(claims, loop(), worse), "smallest") == (none, None), "half the size shows nothing"
    huge = group("depth-64x", 0.031, costs(64000, 600, {}))
    none = "none of 1 is, up to 64 times the parameters"
    assert verdict(said(claims, loop(), huge), "smallest") == (none, True)


def test_steps_over_parts_are_told_from_cores_that_see_the_whole_chunk(claims: ModuleType) -> None:
    untied, deep = (group(name, 0.03, costs(4000, 600, {})) for name in ("untied-parts", "depth-4x"))
    found = said(claims, parts(), untied, deep)
    assert verdict(found, "smallest") == ("4.00 times (depth-4x)", False)
    assert verdict(found, "the same of steps") == ("4.00 times (untied-parts)", False)
    assert not any(what.startswith("the same") for what in said(claims, loop(), untied))


def test_a_narrow_core_over_parts_is_held_against_the_largest_that_it_equals(claims: ModuleType) -> None:
    narrow = parts().model_copy(update={"label": "loop-parts-narrow", "costs": costs(100, 90, {})})
    large, best = (
        group(n, e, costs(s, 600, {})) for n, e, s in (("depth-16x", 0.03, 5000), ("depth-4", 0.02, 9000))
    )
    found = said(claims, parts(), narrow, large, best)
    assert verdict(found, "how many times") == ("50 times (depth-16x, loop-parts-narrow)", True)
    others = (
        group("one-pass-long", 0.03, costs(99000, 600, {})),
        group("one-pass-chunk-2", 0.03, costs(99000, 600, {})).model_copy(update={"chunk": 2}),
        group("depth-100", 0.03, costs(99000, 600, {"mean": 3.0})),
    )
    assert verdict(said(claims, parts(), narrow, large, *others), "how many times")[0].startswith("50 times")


def test_each_looped_core_has_its_own_lines(claims: ModuleType) -> None:
    found = claims.claims(evaluation(loop(), parts(), group("gru", 0.04, costs(1400, 800, {}))))
    assert [claim.core for claim in found] == sorted((claim.core for claim in found), reverse=True)
    assert {claim.core for claim in found} == {"loop-parts", "loop"}


def test_the_slowest_rollouts_are_those_with_the_gate_and_with_as_many_iterations_as_are_as_good(
    claims: ModuleType,
) -> None:
    cost = costs(1000, 900, {"mean": 2.0, "gate": 1.0, "max": 4.0})
    long = tuple(timing.model_copy(update={"base_steps": 64}) for timing in cost.timings)
    cost = cost.model_copy(update={"timings": long})
    assert verdict(said(claims, loop(costs=cost)), "p99") == ("0.50 times", True)
    depths = tuple(
        depth.model_copy(update={"errors": errors(0.05 if depth.loops == 4 else 0.03)})
        for depth in looping().depths
    )
    worse_mean = dict.fromkeys(PARTS, looping().model_copy(update={"depths": depths}))
    found = said(claims, loop(costs=cost, looping=worse_mean))
    assert verdict(found, "p99") == ("0.25 times", True)
    assert any(what.endswith("to 8 iterations always") for what in found)
    assert verdict(said(claims, loop()), "p99") == ("–", None)


def test_costs_are_those_of_free_motion_by_the_model_s_own_gate(claims: ModuleType) -> None:
    # The loop in free motion: 100 + 2 * 200 operations; of 64 actions: 8 times that, and 100 for heads.
    # Over parts each of its two iterations has a prelude, too: 600.
    deep = group("depth-100", 0.033, costs(99000, 15000, {"mean": 30.0}))
    found = said(claims, loop(), deep)
    assert verdict(found, "operations of 100 layers") == ("30 times; error 0.92 times", True)
    assert verdict(found, "operations of 64") == (f"{8 * 15100 / 4100:.0f} times", False)
    assert verdict(found, "time of a transition") == ("30 times", True)
    among_others = tuple(timing for timing in deep.costs.timings if not timing.free)
    mixed = deep.model_copy(update={"costs": deep.costs.model_copy(update={"timings": among_others})})
    assert verdict(said(claims, loop(), mixed), "time of a transition") == ("–", None), "not in free motion"
    assert verdict(said(claims, parts(), deep), "operations of 100 layers")[0].startswith("25 times")
    better = group("depth-100", 0.02, costs(99000, 15000, {"mean": 30.0}))
    assert verdict(said(claims, loop(), better), "operations of 100 layers")[1] is False


def test_onset_counts_only_where_the_error_is_kept(claims: ModuleType) -> None:
    assert verdict(said(claims, loop()), "iterations at contact") == (
        "2.00 (1.80 to 2.20; gate 0.1, error 1.010 times)",
        True,
    )
    spoiled = looping().model_copy(update={"exits": (exit_of("gate", 0.1, 1.0, 3.0, 1.5),)})
    found = said(claims, loop(looping=dict.fromkeys(PARTS, spoiled)))
    assert verdict(found, "iterations at contact") == (
        "3.00 (2.70 to 3.30; gate 0.1, error 1.500 times)",
        False,
    )


def test_iterations_at_onsets_are_told_part_by_part(claims: ModuleType) -> None:
    lazy = looping().model_copy(update={"exits": (exit_of("gate", 0.1, 2.0, 2.0, 1.01),)})
    found = said(claims, loop(looping={**dict.fromkeys(PARTS, looping()), "test-fast": lazy}))
    held = {what.rpartition(", ")[2]: yes for what, (_, yes) in found.items() if "contact onset" in what}
    assert held == {"one cube": True, "three blocks": True, "faster": False, "heavier and rougher": True}


def test_memory_and_growth_are_those_of_the_worst(claims: ModuleType) -> None:
    found = said(claims, loop())
    assert verdict(found, "error with up to 16") == ("moved 1.01, static 1.00 times", True)
    assert verdict(found, "growth") == (
        "K^0.70 at most, highest upper bound K^0.77; state RMS at most 0.50",
        True,
    )
    worse = said(claims, loop(looping=dict.fromkeys(PARTS, looping(1.1)), stability=stable(0.4, 1.2)))
    assert verdict(worse, "error with up to 16") == ("moved 1.01, static 1.10 times", False)
    assert verdict(worse, "growth") == (
        "K^1.20 at most, highest upper bound K^1.32; state RMS at most 0.50",
        False,
    )


def test_a_core_that_knows_every_number_of_parts_cannot_be_given_more(claims: ModuleType) -> None:
    few = looping(own=0.8)
    all_known = few.model_copy(update={"depths": few.depths[:2]})
    found = said(claims, parts(looping=dict.fromkeys(PARTS, all_known)))
    assert verdict(found, "error with more iterations") == ("the same: a part is an action at least", True)


def test_a_hundred_layers_of_single_actions_are_a_line_of_their_own(claims: ModuleType) -> None:
    single = group("depth-100-chunk-1", 0.05, costs(99000, 15000, {})).model_copy(update={"chunk": 1})
    found = said(claims, loop(), group("depth-100", 0.033, costs(99000, 15000, {})), single)
    assert verdict(found, "operations of 64 actions: 100 layers read") == (
        f"{8 * 15100 / 4100:.0f} times",
        False,
    )
    alone = verdict(found, "operations of 64 actions: 100 layers, one action at a time")
    assert alone == (f"{64 * 15100 / 4100:.0f} times", True)


def test_nothing_measured_nothing_said(section: ModuleType, tmp_path: Path) -> None:
    assert section.study(tmp_path) == []


def test_what_was_measured_is_shown(section: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / section.FOLDER
    folder.mkdir(parents=True)
    found = evaluation(loop(), group("gru", 0.04, costs(1400, 800, {"mean": 1.5})))
    without = [each.model_copy(update={"costs": None}) for each in found.groups]
    predicted = found.model_copy(update={"groups": tuple(without)})
    (folder / "evaluation.json").write_text(predicted.model_dump_json())
    aside = evaluation(loop(stability={}).model_copy(update={"label": "fixed-t", "costs": None}))
    (folder / "ablations.json").write_text(aside.model_dump_json())
    (folder / "costs.json").write_text(found.model_dump_json())
    (folder / "words.md").write_text("Plain words.\n")
    (folder / "commands.sh").write_text("loopwm study\n")
    (folder / "1_error_ahead.svg").write_text("<svg/>")
    text = "\n".join(section.study(tmp_path))
    assert "Plain words." in text
    assert "![1 error ahead](results/study/1_error_ahead.svg)" in text
    assert "| nothing moves | – | – | 1.00 (0.90 to 1.10) | 8.00 (7.20 to 8.80) |" in text
    assert "| gru | 8 | 1 | 1.00 (0.90 to 1.10) | 4.00 (3.60 to 4.40) |" in text
    assert "| loop | one cube | gate | 0.1 | 2.00 | 4.00 | 4.00 | 2.00 (1.80 to 2.20) | 1.010 |" in text
    assert "| core | 4 | 8 | 16 |" in text
    assert "| loop | 3.00 (2.70 to 3.30) | 3.00 (2.70 to 3.30) | 3.00 (2.70 to 3.30) |" in text
    assert "| fixed-t | 8 | 1 | 1.00 (0.90 to 1.10) | 3.00 (2.70 to 3.30) |" in text
    assert "| fixed-t | 3.00 (2.70 to 3.30) |" in text
    assert "| fixed-t | one cube | gate |" not in text, "of ablations the exits are not listed"
    assert "| gru | 1 | 0.00 | 0.01 | 1.50 / 3.00 | – | – |" in text
    assert "```sh\nloopwm study\n```" in text


def test_what_is_kept_is_what_the_page_needs_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import study_keep

    more = {"test-one": errors(0.0123456789), "shifted-slippery": errors(0.03)}
    found = loop().model_copy(update={"prediction": more})
    kept = Evaluation.model_validate(study_keep.kept(evaluation(found)))
    (group,) = kept.groups
    assert set(group.prediction) == {"test-one"}
    assert group.prediction["test-one"]["object_moved"][25].mean == 0.0123457
    assert len(group.looping["test-one"].exits) == len(looping().exits)
    assert group.stability["long-one"].seeds[1].growth["tool"].mean == 0.7
    aside = study_keep.kept(evaluation(loop(stability={})))["groups"][0]
    assert aside["looping"]["test-one"]["exits"] == []
    assert len(aside["looping"]["test-one"]["depths"]) == 3
