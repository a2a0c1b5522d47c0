"""All checks together: the worst of them counts, and old evidence does not."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.calibration.drift_limits import Drift, State
from loopwm_ros.calibration.drift_watch import DriftWatch
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, U8, JointState, Observation

SHOWN = Observation(0.0, np.zeros((2, 2, 3), dtype=np.uint8), JointState(0.0, np.zeros(1), np.zeros(1)))


class Told:
    """Says what it is told to."""

    def __init__(self) -> None:
        self.state: State | None = None  # None: it sees nothing

    def look(self, image: U8, joints: F64) -> Drift:
        if self.state is None:
            raise SensorError("nothing is seen")
        return Drift(1.0, 0.1, 2.0, 0.2, self.state, f"it is {self.state}")

    def clear(self) -> None:
        self.state = None


def test_the_worst_counts_and_says_why() -> None:
    board, scene = Told(), Told()
    watch = DriftWatch({"board": board, "scene": scene}, memory=10.0)
    assert watch.standing(0.0).state == "unknown"
    watch.look(SHOWN, 0.0)
    assert watch.standing(0.0).words == "board: nothing is seen; scene: nothing is seen"
    scene.state = "ok"
    watch.look(SHOWN, 1.0)
    assert (watch.standing(1.0).state, watch.standing(1.0).words) == ("ok", "scene: it is ok")
    assert watch.standing(1.0).values["scene.moved_mm"] == "2.0"
    assert watch.standing(1.0).values["board.trouble"] == "nothing is seen"
    board.state = "block"
    watch.look(SHOWN, 2.0)
    assert (watch.standing(2.0).state, watch.standing(2.0).words) == ("block", "board: it is block")
    assert watch.state("board", 2.0) == "block"
    assert watch.state("no such check", 2.0) == "unknown"


@pytest.mark.parametrize("before", ["ok", "warn"])
def test_what_may_be_armed_is_unknown_after_a_while_and_what_blocks_stays_so(before: State) -> None:
    board = Told()
    watch = DriftWatch({"board": board}, memory=10.0)
    board.state = before
    watch.look(SHOWN, 0.0)
    board.state = None
    watch.look(SHOWN, 9.0)
    assert watch.standing(9.9).state == before
    assert watch.standing(10.1).state == "unknown"
    assert watch.standing(10.1).words == "board: not seen for long, nothing is seen"
    board.state = "block"
    watch.look(SHOWN, 11.0)
    assert watch.standing(100.0).state == "block"
    watch.clear()
    assert watch.standing(100.0).state == "unknown"


def test_another_check_takes_the_place_of_one() -> None:
    first, second = Told(), Told()
    first.state, second.state = "block", "ok"
    watch = DriftWatch({"scene": first}, memory=10.0)
    watch.look(SHOWN, 0.0)
    watch.replace("scene", second)
    assert watch.standing(0.0).state == "unknown"
    watch.look(SHOWN, 0.0)
    assert watch.standing(0.0).state == "ok"


def test_a_check_that_finds_nothing_where_it_should_ends_what_was_known() -> None:
    class Missing(Told):
        """Sees nothing any more, and learns from that."""

        def look(self, image: U8, joints: F64) -> Drift:
            known = super().look(image, joints)
            nan = float("nan")
            return known if self.state == "ok" else Drift(nan, nan, nan, nan, "unknown", "is it covered?")

    board = Missing()
    board.state = "ok"
    watch = DriftWatch({"board": board}, memory=100.0)
    watch.look(SHOWN, 0.0)
    assert watch.standing(0.0).state == "ok"
    board.state = "unknown"
    watch.look(SHOWN, 1.0)
    assert (watch.standing(1.0).state, watch.standing(1.0).words) == ("unknown", "board: is it covered?")
    assert "board.pixels" not in watch.standing(1.0).values
