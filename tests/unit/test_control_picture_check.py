"""Pictures that show nothing, or nothing new, are refused."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.control.picture_check import BLACK, MOVED, PictureCheck
from loopwm_ros.errors import SensorError
from loopwm_ros.types import JointState

PICTURE = np.full((12, 16, 3), 120, dtype=np.uint8)


def at(angle: float) -> JointState:
    return JointState(0.0, np.full(7, angle), np.zeros(7))


def test_a_black_picture_is_refused_and_the_next_good_one_is_not() -> None:
    check = PictureCheck()
    with pytest.raises(SensorError, match="black"):
        check.check(np.full_like(PICTURE, BLACK), at(0.0))
    check.check(PICTURE, at(0.0))


def test_the_same_picture_is_refused_once_the_arm_has_moved() -> None:
    check = PictureCheck()
    check.check(PICTURE, None)
    for angle in (0.0, MOVED * 0.9):
        check.check(PICTURE.copy(), at(angle))
    with pytest.raises(SensorError, match="frozen"):
        check.check(PICTURE.copy(), at(MOVED * 1.1))
    other = PICTURE.copy()
    other[3, 4, 1] += 1
    check.check(other, at(MOVED * 1.1))


def test_a_still_arm_may_give_the_same_picture_for_ever() -> None:
    check = PictureCheck()
    for _ in range(100):
        check.check(PICTURE.copy(), at(0.3))
