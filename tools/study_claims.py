"""What the study of cores found of each thing that it set out to show, computed from an evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from loopwm_ros.config import load_settings, share_dir
from loopwm_ros.training.evaluation.results import Costs, Evaluation, Exit, Group, Timing
from loopwm_ros.training.evaluation.timing import FREE_BATCHES
from loopwm_ros.training.study.settings import StudySettings

AHEAD = 25  # base steps: 2.5 s
PART = "test-one"  # where the cube is pushed
PARTS = {
    PART: "one cube",
    "test-chain": "three blocks",
    "test-fast": "faster",
    "shifted-heavy": "heavier and rougher",
}
MOVED = "object_moved"
LOOPS, DEEPEST = ("loop-parts", "loop-parts-8", "loop", "paper-block"), "depth-100"
SINGLE = "depth-100-chunk-1"  # the same, one action at a time
UNTIED, SIZES = "untied-parts", ("loop-parts", "loop-parts-narrow", "loop-parts-tiny")
FIXED = ("depth-", "one-pass", "paper-one-pass")
UNEQUAL = (DEEPEST, "one-pass-long", "one-pass-longest")  # had other numbers of training steps
LOSS = 1.02  # what more of an error counts as none
LONG = 64  # base steps
STUDY = share_dir() / "config/study/contact.yaml"


@dataclass(frozen=True)
class Claim:
    """One line of the table."""

    core: str
    what: str
    aimed: str
    found: str
    held: bool | None  # None: not measured, or not enough to tell

    @property
    def row(self) -> tuple[str, ...]:
        """Its cells."""
        verdict = {True: "yes", False: "**no**", None: "–"}[self.held]
        return self.core, self.what, self.aimed, self.found, verdict


def claims(found: Evaluation) -> list[Claim]:
    """Those on each looped core, as far as the arms that they need were evaluated."""
    groups = {group.label: group for group in found.groups}
    loops = (groups[name] for name in LOOPS if name in groups)
    return [made for loop in loops if loop.costs is not None for made in _of(loop, groups, found.period_s)]


def _of(loop: Group, groups: dict[str, Group], period: float) -> list[Claim]:
    made = _parameters(groups, loop, AHEAD * period)
    chosen = own_exit(loop, PART) if PART in loop.looping else None
    deep = groups.get(DEEPEST)
    if deep is not None and deep.costs is not None and chosen is not None and chosen.loops.free is not None:
        times = [_wall_time(deep, loop, rows) for rows in FREE_BATCHES]
        made += [_flops(deep, loop, chosen), *times, _long_rollout(deep, loop, chosen)]
    single = groups.get(SINGLE)
    if (
        single is not None
        and single.costs is not None
        and chosen is not None
        and chosen.loops.free is not None
    ):
        made.append(_long_rollout(single, loop, chosen, ", one action at a time"))
    made += [_onset(loop, part) for part in PARTS if part in loop.looping]
    if PART in loop.looping:
        made += [_slowest(loop), _more_loops(loop)]
    return [*made, *_stability(loop)]


def error(group: Group) -> float:
    """Mean error on a cube that moved [m]."""
    return group.prediction[PART][MOVED][AHEAD].mean


def size(group: Group) -> int:
    """Parameters of a core."""
    assert group.costs is not None
    return group.costs.parameters["core"]


def _parameters(groups: dict[str, Group], loop: Group, seconds: float) -> list[Claim]:
    measured = {name: group for name, group in groups.items() if group.costs is not None}
    fixed = [g for name, g in measured.items() if name.startswith(FIXED) and _comparable(g, loop)]
    made = [_as_good(loop, fixed, f"smallest core of fixed depth as good as this one, {seconds:g} s ahead")]
    if loop.iterate != "parts":
        return made
    if untied := [g for name, g in measured.items() if name.startswith(UNTIED)]:
        made.append(_as_good(loop, untied, "the same of steps over parts with parameters of their own"))
    sizes = [g for name, g in measured.items() if name in SIZES]
    return [*made, *_outgrown(loop, sizes, fixed)]


def _comparable(group: Group, loop: Group) -> bool:
    """Whether it had as many steps of training, and as long transitions."""
    return group.label not in UNEQUAL and group.chunk == loop.chunk


def _as_good(loop: Group, others: list[Group], what: str) -> Claim:
    aimed = "at least 16 times the parameters"
    as_good = sorted((g for g in others if error(g) <= error(loop)), key=size)
    if not as_good:
        largest = max((size(g) for g in others), default=0) / size(loop)
        said = f"none of {len(others)} is, up to {largest:.2g} times the parameters"
        return Claim(loop.label, what, aimed, said, True if largest >= 16 else None)
    times = size(as_good[0]) / size(loop)
    return Claim(loop.label, what, aimed, f"{times:.2f} times ({as_good[0].label})", times >= 16)


def _outgrown(loop: Group, sizes: list[Group], fixed: list[Group]) -> list[Claim]:
    """The pair that is furthest apart in size."""
    pairs = [(f, p) for f in fixed for p in sizes if error(p) <= error(f)]
    if not pairs:
        return []
    larger, smaller = max(pairs, key=lambda pair: size(pair[0]) / size(pair[1]))
    times = size(larger) / size(smaller)
    what = "how many times larger a core of fixed depth may be that a core of this kind, of any width, equals"
    said = f"{times:.0f} times ({larger.label}, {smaller.label})"
    return [Claim(loop.label, what, "at least 16", said, times >= 16)]


def cheapest_exit(group: Group, part: str, test: str | None = None) -> Exit | None:
    """The exit with the fewest iterations that costs hardly any error; of one test, or of all."""
    exits = [e for e in group.looping[part].exits if test in (None, e.test) and e.loops.all is not None]
    good = [e for e in exits if against_best(group, part, e) <= LOSS]
    return min(good, key=lambda e: e.loops.all.mean if e.loops.all else 0.0, default=None)


def own_exit(group: Group, part: str) -> Exit:
    """The gate as the model's settings have it, which is what a robot runs unless it is told otherwise."""
    threshold = load_settings(STUDY, StudySettings).train_settings(group.label).rollout.gate_threshold
    return next(e for e in group.looping[part].exits if (e.test, e.threshold) == ("gate", threshold))


def against_best(group: Group, part: str, made: Exit) -> float:
    """Error on moved objects against that of the best fixed number of iterations, up to max_loops."""
    depths = [d for d in group.looping[part].depths if d.loops <= group.max_loops]
    best = min(depth.errors[MOVED][AHEAD].mean for depth in depths)
    return made.errors[MOVED][AHEAD].mean / best


def _free_flops(loop: Group, chosen: Exit) -> float:
    assert loop.costs is not None
    assert chosen.loops.free is not None
    graphs, loops = loop.costs.flops.graphs, chosen.loops.free.mean
    if loop.iterate == "parts":
        return loops * (graphs["prelude"] + graphs["block"] + graphs["coda"])
    return graphs["prelude"] + loops * graphs["block"] + graphs["coda"]


def _flops(deep: Group, loop: Group, chosen: Exit) -> Claim:
    assert deep.costs is not None
    ratio = deep.costs.flops.transition[1] / _free_flops(loop, chosen)
    made = chosen.errors[MOVED][AHEAD].mean
    return Claim(
        loop.label,
        "operations of 100 layers to this core's with exit, in free motion",
        "at least 25, no more error",
        f"{ratio:.0f} times; error {made / error(deep):.2f} times",
        ratio >= 25 and made <= error(deep),
    )


def timed(costs: Costs, loops: str, steps: int, free: bool = False, rows: int = 64) -> Timing | None:
    """How long `steps` base steps of `rows` candidates took; None where that was not measured."""
    wanted = (loops, rows, steps, free)
    return next((t for t in costs.timings if (t.loops, t.candidates, t.base_steps, t.free) == wanted), None)


def _wall_time(deep: Group, loop: Group, rows: int) -> Claim:
    assert deep.costs is not None
    assert loop.costs is not None
    what = f"time of a transition of 100 layers to this core's with its gate, free motion, {rows} candidates"
    aimed = "at least 25"
    slow = timed(deep.costs, "mean", deep.chunk, free=True, rows=rows)
    quick = timed(loop.costs, "gate", loop.chunk, free=True, rows=rows)
    if slow is None or quick is None or slow.ms.p50 is None or quick.ms.p50 is None:
        return Claim(loop.label, what, aimed, "–", None)
    ratio = slow.ms.p50 / quick.ms.p50
    return Claim(loop.label, what, aimed, f"{ratio:.0f} times", ratio >= 25)


def _long_rollout(deep: Group, loop: Group, chosen: Exit, how: str = "") -> Claim:
    assert deep.costs is not None
    assert loop.costs is not None
    each = deep.costs.flops.transition[1] + deep.costs.flops.graphs["heads"]
    once = -(-LONG // loop.chunk) * _free_flops(loop, chosen) + loop.costs.flops.graphs["heads"]
    ratio = -(-LONG // deep.chunk) * each / once
    what = (
        f"operations of {LONG} actions: 100 layers{how} read at every transition, this core once, with exit"
    )
    return Claim(loop.label, what, "at least 100 times fewer", f"{ratio:.0f} times", ratio >= 100)


def _onset(loop: Group, part: str) -> Claim:
    what, aimed = (
        f"iterations at contact onset to those of free motion, {PARTS[part]}",
        "at least 1.5, error within 2 %",
    )
    found = [
        (ratio, against_best(loop, part, made), made)
        for made in loop.looping[part].exits
        if (ratio := made.loops.onset_to_free) is not None
    ]
    kept = [each for each in found if each[1] <= LOSS]
    ratio, spoilt, made = max(kept, key=lambda e: e[0].mean) if kept else min(found, key=lambda e: e[1])
    test = f"{made.test.replace('_', ' ')} {made.threshold:.2g}, error {spoilt:.3f} times"
    said = f"{ratio.mean:.2f} ({ratio.low:.2f} to {ratio.high:.2f}; {test})"
    return Claim(loop.label, what, aimed, said, bool(kept) and ratio.mean >= 1.5)


def _slowest(loop: Group) -> Claim:
    """Against as many iterations for all as are as good as the best fixed number: the mean, or the most."""
    assert loop.costs is not None
    depths = {d.loops: d.errors[MOVED][AHEAD].mean for d in loop.looping[PART].depths}
    usual = depths[loop.mean_loops] <= LOSS * min(depths[n] for n in depths if n <= loop.max_loops)
    fixed = "mean" if usual else "max"
    iterations = loop.mean_loops if usual else loop.max_loops
    what = f"p99 of the time of {LONG} actions: with the gate, to {iterations} iterations always"
    gated, always = timed(loop.costs, "gate", LONG), timed(loop.costs, fixed, LONG)
    if gated is None or always is None or not gated.ms.p99 or not always.ms.p99:
        return Claim(loop.label, what, "at most 1", "–", None)
    ratio = gated.ms.p99 / always.ms.p99
    return Claim(loop.label, what, "at most 1", f"{ratio:.2f} times", ratio <= 1)


def _more_loops(loop: Group) -> Claim:
    aimed = "at most 1.02, static objects too"
    depths = [depth for depth in loop.looping[PART].depths if depth.loops > loop.max_loops]
    if not depths:
        what = f"error with more iterations than in training, {loop.max_loops}"
        return Claim(loop.label, what, aimed, "the same: a part is an action at least", True)
    worst = {m: max(d.against_full[m][AHEAD].mean for d in depths) for m in (MOVED, "object_static")}
    most = max(depth.loops for depth in depths)
    said = f"moved {worst[MOVED]:.2f}, static {worst['object_static']:.2f} times"
    what = f"error with up to {most} iterations to that with {loop.max_loops}"
    return Claim(loop.label, what, aimed, said, max(worst.values()) <= LOSS)


def _stability(loop: Group) -> list[Claim]:
    made = []
    for part, found in loop.stability.items():
        growth = [seed.growth[m] for seed in found.seeds for m in ("tool", "object") if m in seed.growth]
        known = [each for each in growth if each is not None]
        if not known:
            continue
        fastest, bound = max(each.mean for each in known), max(each.high for each in known)
        largest = max(seed.largest_rms for seed in found.seeds)
        said = f"K^{fastest:.2f} at most, highest upper bound K^{bound:.2f}; state RMS at most {largest:.2f}"
        made.append(
            Claim(
                loop.label,
                f"growth of the error to 1,000 steps, {part}, every seed",
                "at most K^1",
                said,
                bound <= 1,
            )
        )
    return made
