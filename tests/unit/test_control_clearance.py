"""A path is blocked exactly where measuring all pairs at all of its points says so, whatever came before."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from loopwm_ros.config import Box, load_arm
from loopwm_ros.control.clearance import ROUNDING, Clearance
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.types import F64

TABLE = Box(low=(0.15, -0.6, -0.1), high=(1.2, 0.6, 0.0))
ARMS = {
    name: load_arm(name).model_copy(update={"keep_out": {"table": TABLE}})
    for name in ("panda_rod", "ur5e", "xarm6", "iiwa")
}
KINEMATICS = {name: Kinematics(arm) for name, arm in ARMS.items()}
CLEARANCES = {name: Clearance(arm, KINEMATICS[name]) for name, arm in ARMS.items()}  # keep what they measured
MEASURED = {name: Clearance(arm, KINEMATICS[name]) for name, arm in ARMS.items()}
NEAR = 1e-5  # to what is needed, where rounding decides [m]
seeds = st.integers(0, 2**32 - 1)
arms = st.sampled_from(sorted(ARMS))


def distances(name: str, path: F64) -> F64:
    """Of all pairs at all points, (m, pairs) [m]."""
    clearance, rows = MEASURED[name], []
    for position in path:
        clearance._place(position)
        rows.append([clearance._measure(pair, position) for pair in range(len(clearance.names))])
    return np.array(rows)


def wander(name: str, rng: np.random.Generator) -> list[F64]:
    """Paths (m, n) as of stops, each from where the one before it began to stop."""
    k = KINEMATICS[name]
    start, paths = k.home, []
    way = rng.uniform(k.lower, k.upper) - k.home
    for _ in range(8):
        turn = way * rng.uniform(0.0, 0.15) + rng.normal(0.0, 0.01, len(way))
        onward = start + turn * rng.uniform(0.0, 1.0)
        stop = onward + np.linspace(0.0, 1.0, int(rng.integers(1, 20)))[:, None] * turn * rng.uniform(
            0.0, 2.0
        )
        paths.append(np.vstack([start, stop]))
        start = onward
    return paths


def more_needed(clearance: Clearance, path: F64) -> F64:
    """What has to be kept beyond the margin, (m, pairs) [m]."""
    more = np.zeros((len(path), len(clearance.names)))
    for i, turn in enumerate(np.abs(np.diff(path, axis=0))):
        between = clearance._arms @ turn / 2.0
        more[i] = np.maximum(more[i], between)
        more[i + 1] = np.maximum(more[i + 1], between)
    return more


@settings(max_examples=60, deadline=None)
@given(name=arms, seed=seeds)
def test_a_path_is_blocked_exactly_where_all_distances_say_so(name: str, seed: int) -> None:
    clearance, margin = CLEARANCES[name], ARMS[name].clearance
    for path in wander(name, np.random.default_rng(seed)):
        found = clearance.blocked(path)
        measured = distances(name, path)
        parts = (measured[0] < margin) & (measured.min(axis=0) >= measured[0] - ROUNDING)
        room = np.where(parts, np.inf, (measured - more_needed(clearance, path)).min(axis=0) - margin)
        if abs(room.min()) < NEAR:
            continue
        assert (found is not None) == (room.min() < 0.0)
        if found is not None:
            named = [
                pair == (found.first, found.second) for pair in clearance.names
            ]  # links of several shapes
            assert room[named].min() < 0.0


class Steep(Clearance):
    """Its parts come near places in joint space as fast as their lever arms allow."""

    def lay(self, places: F64, least: float) -> None:
        """Distances are `least` [m] where a pair's place (pairs, n) [rad] is."""
        self.places, self.least = places, least
        self.nearest(self._at[0])

    def _measure(self, pair: int, position: F64) -> float:
        if not hasattr(self, "places"):
            return super()._measure(pair, position)
        self._known[pair] = self.least + self._arms[pair] @ np.abs(position - self.places[pair])
        self._at[pair] = position
        return float(self._known[pair])


STEEP = {name: Steep(arm, KINEMATICS[name]) for name, arm in ARMS.items()}


@settings(max_examples=100, deadline=None)
@given(name=arms, seed=seeds, close=st.sampled_from([0.0, 0.01, 0.3]))
def test_no_bound_takes_a_path_for_clear_that_lacks_a_hair(name: str, seed: int, close: float) -> None:
    clearance, rng = STEEP[name], np.random.default_rng(seed)
    clearance._margin = ARMS[name].clearance
    for path in wander(name, rng):
        places = path[rng.integers(0, len(path), len(clearance.names))]
        clearance.lay(places + rng.normal(0.0, 1.0, places.shape) * close, 0.0)
        rise = np.einsum("mpn,pn->mp", np.abs(path[:, None] - clearance.places), clearance._arms)
        room = float((rise - more_needed(clearance, path)).min())
        for hair in (NEAR, -NEAR):
            least = clearance._margin - room + hair
            clearance.lay(clearance.places, least)
            clearance.nearest(rng.choice(path) + rng.normal(0.0, 0.1, path.shape[1]) * close)
            if (least + rise[0]).min() > clearance._margin:  # else a pair may part
                assert (clearance.blocked(path) is None) == (hair > 0.0)


@settings(max_examples=60, deadline=None)
@given(name=arms, seed=seeds)
def test_no_distance_changes_faster_than_its_lever_arms_allow(name: str, seed: int) -> None:
    k, rng = KINEMATICS[name], np.random.default_rng(seed)
    start = rng.uniform(k.lower, k.upper)
    turn = rng.normal(0.0, rng.choice([0.01, 0.1, 1.0]), len(start)) * (rng.random(len(start)) < 0.5)
    before, after = distances(name, np.array([start, start + turn]))
    apart = (before > 0.0) & (after > 0.0)
    bound = CLEARANCES[name]._arms @ np.abs(turn)
    assert np.all(np.abs(after - before)[apart] <= bound[apart] + NEAR)
