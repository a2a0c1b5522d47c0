"""Rigid transforms and their settings."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loopwm_ros.processing.poses import apart, cross_matrix, inverse, matrix, moved, transform

vectors = st.lists(st.floats(-1.7, 1.7), min_size=3, max_size=3).map(np.array)


@given(turn=vectors, shift=vectors, other=vectors)
def test_there_and_back(turn, shift, other) -> None:
    pose = moved(np.eye(4), turn, shift)
    assert np.allclose(inverse(pose) @ pose, np.eye(4))
    assert np.allclose(matrix(transform(pose)), pose)
    assert transform(pose).rotation[3] >= 0.0
    further = moved(pose, other, shift)
    turned, shifted = apart(pose, further)
    assert np.allclose(moved(pose, turned, shifted), further)
    assert np.allclose(cross_matrix(turn) @ other, np.cross(turn, other))
