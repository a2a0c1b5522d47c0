"""What the study of cores found of each thing that it set out to show, computed from an evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from loopwm_ros.training.evaluation.results import Costs, Evaluation, Exit, Group, Timing

AHEAD = 25  # base steps: 2.5 s
PART = "test-one"  # where the cube is pushed
MOVED = "object_moved"
LOOP, DEEPEST = "loop", "depth-100"
LOSS = 1.02  # what more of an error counts as none
LONG = 64  # base steps


@dataclass(frozen=True)
class Claim:
    """One line of the table."""

    what: str
    aimed: str
    found: str
    held: bool | None  # None: not measured

    @property
    def row(self) -> tuple[str, str, str, str]:
        """Its cells."""
        verdict = {True: "yes", False: "**no**", None: "–"}[self.held]
        return self.what, self.aimed, self.found, verdict


def claims(found: Evaluation) -> list[Claim]:
    """All of those whose arms were evaluated."""
    groups = {group.label: group for group in found.groups}
    if LOOP not in groups or groups[LOOP].costs is None:
        return []
    loop = groups[LOOP]
    made = [_parameters(groups, loop, AHEAD * found.period_s)]
    chosen = cheapest_exit(loop, PART) if PART in loop.looping else None
    deep = groups.get(DEEPEST)
    if deep is not None and deep.costs is not None and chosen is not None and chosen.loops.free is not None:
        made += [_flops(deep, loop, chosen), _wall_time(deep, loop), _long_rollout(deep, loop, chosen)]
    if PART in loop.looping:
        made += [_onset(loop), _more_loops(loop)]
    return [*made, *_stability(loop)]


def error(group: Group) -> float:
    """Mean error on a cube that moved [m]."""
    return group.prediction[PART][MOVED][AHEAD].mean


def size(group: Group) -> int:
    """Parameters of a core."""
    assert group.costs is not None
    return group.costs.parameters["core"]


def _parameters(groups: dict[str, Group], loop: Group, seconds: float) -> Claim:
    what = f"parameters of the smallest core of fixed depth as good as the loop, {seconds:g} s ahead"
    fixed = [g for name, g in groups.items() if name.startswith("depth-") and g.costs is not None]
    fixed += [groups["one-pass"]] if "one-pass" in groups else []
    as_good = sorted((g for g in fixed if error(g) <= error(loop)), key=size)
    aimed = "at least 16 times the loop's"
    if not as_good:
        return Claim(what, aimed, f"none of {len(fixed)} reaches the loop's error", True)
    times = size(as_good[0]) / size(loop)
    return Claim(what, aimed, f"{times:.2f} times ({as_good[0].label})", times >= 16)


def cheapest_exit(group: Group, part: str, test: str | None = None) -> Exit | None:
    """The exit with the fewest iterations that costs hardly any error; of one test, or of all."""
    exits = [e for e in group.looping[part].exits if test in (None, e.test) and e.loops.all is not None]
    good = [e for e in exits if against_best(group, part, e) <= LOSS]
    return min(good, key=lambda e: e.loops.all.mean if e.loops.all else 0.0, default=None)


def against_best(group: Group, part: str, made: Exit) -> float:
    """Error on moved objects against that of the best fixed number of iterations, up to max_loops."""
    depths = [d for d in group.looping[part].depths if d.loops <= group.max_loops]
    best = min(depth.errors[MOVED][AHEAD].mean for depth in depths)
    return made.errors[MOVED][AHEAD].mean / best


def _free_flops(loop: Group, chosen: Exit) -> float:
    assert loop.costs is not None
    assert chosen.loops.free is not None
    graphs = loop.costs.flops.graphs
    return graphs["prelude"] + chosen.loops.free.mean * graphs["block"] + graphs["coda"]


def _flops(deep: Group, loop: Group, chosen: Exit) -> Claim:
    assert deep.costs is not None
    ratio = deep.costs.flops.transition[1] / _free_flops(loop, chosen)
    made = chosen.errors[MOVED][AHEAD].mean
    return Claim(
        "operations of 100 layers to the loop's with exit, in free motion",
        "at least 25, no more error",
        f"{ratio:.0f} times; error {made / error(deep):.2f} times",
        ratio >= 25 and made <= error(deep),
    )


def timed(costs: Costs, loops: str, steps: int) -> Timing | None:
    """How long `steps` base steps of 64 candidates took; None where that was not measured."""
    wanted = (loops, 64, steps)
    return next((t for t in costs.timings if (t.loops, t.candidates, t.base_steps) == wanted), None)


def _wall_time(deep: Group, loop: Group) -> Claim:
    assert deep.costs is not None
    assert loop.costs is not None
    what, aimed = "time of a transition of 100 layers to the loop's with its gate", "at least 25"
    slow, quick = timed(deep.costs, "mean", deep.chunk), timed(loop.costs, "gate", loop.chunk)
    if slow is None or quick is None or slow.ms.p50 is None or quick.ms.p50 is None:
        return Claim(what, aimed, "–", None)
    ratio = slow.ms.p50 / quick.ms.p50
    return Claim(what, aimed, f"{ratio:.0f} times", ratio >= 25)


def _long_rollout(deep: Group, loop: Group, chosen: Exit) -> Claim:
    assert deep.costs is not None
    assert loop.costs is not None
    each = deep.costs.flops.transition[1] + deep.costs.flops.graphs["heads"]
    once = -(-LONG // loop.chunk) * _free_flops(loop, chosen) + loop.costs.flops.graphs["heads"]
    ratio = -(-LONG // deep.chunk) * each / once
    what = f"operations of {LONG} actions: 100 layers read at every transition, the loop once, with exit"
    return Claim(what, "at least 100 times fewer", f"{ratio:.0f} times", ratio >= 100)


def _onset(loop: Group) -> Claim:
    what, aimed = (
        "iterations at contact onset to those of free motion, one cube",
        "at least 1.5, error within 2 %",
    )
    kept = [e for e in loop.looping[PART].exits if against_best(loop, PART, e) <= LOSS]
    good = [(e.loops.onset_to_free, e.test) for e in kept if e.loops.onset_to_free is not None]
    if not good:
        return Claim(what, aimed, "no exit keeps the error", False)
    ratio, test = max(good, key=lambda pair: pair[0].mean)
    said = f"{ratio.mean:.2f} ({ratio.low:.2f} to {ratio.high:.2f}; {test.replace('_', ' ')})"
    return Claim(what, aimed, said, ratio.mean >= 1.5)


def _more_loops(loop: Group) -> Claim:
    depths = [depth for depth in loop.looping[PART].depths if depth.loops > loop.max_loops]
    worst = {m: max(d.against_full[m][AHEAD].mean for d in depths) for m in (MOVED, "object_static")}
    most = max(depth.loops for depth in depths)
    said = f"moved {worst[MOVED]:.2f}, static {worst['object_static']:.2f} times"
    what = f"error with up to {most} iterations to that with {loop.max_loops}"
    return Claim(what, "at most 1.02, static objects too", said, max(worst.values()) <= LOSS)


def _stability(loop: Group) -> list[Claim]:
    made = []
    for part, found in loop.stability.items():
        growth = [seed.growth[m] for seed in found.seeds for m in ("tool", "object") if m in seed.growth]
        exponents = [each.high for each in growth if each is not None]
        if not exponents:
            continue
        largest = max(seed.largest_rms for seed in found.seeds)
        said = f"K^{max(exponents):.2f} is the highest upper bound; state RMS at most {largest:.2f}"
        made.append(
            Claim(
                f"growth of the error to 1,000 steps, {part}, every seed",
                "at most K^1",
                said,
                max(exponents) <= 1,
            )
        )
    return made
