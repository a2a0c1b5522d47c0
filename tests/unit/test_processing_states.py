"""Joint states and actions: order, normalisation, units."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loopwm_ros.processing.states import (
    action_from_displacement,
    chunked,
    normalise_proprio,
    proprio_vector,
    spans,
    tool_velocity,
)
from loopwm_ros.types import JointState
from tests.fakes import make_spec


def test_positions_then_velocities_then_tool() -> None:
    joints = JointState(0.0, np.arange(7.0), 10.0 + np.arange(7.0))
    vector = proprio_vector(joints, np.array([0.1, 0.2, 0.3]))
    assert np.allclose(vector, [*range(7), *range(10, 17), 0.1, 0.2, 0.3])


def test_normalised_data_have_no_mean_and_unit_variance() -> None:
    raw = np.random.default_rng(0).normal(3.0, 5.0, size=(400, 17)) * np.linspace(0.1, 4.0, 17)
    spec = make_spec(proprio_mean=tuple(raw.mean(axis=0)), proprio_std=tuple(raw.std(axis=0)))
    normal = normalise_proprio(spec, raw)
    assert normal.dtype == np.float32
    assert np.allclose(normal.mean(axis=0), 0.0, atol=1e-5)
    assert np.allclose(normal.std(axis=0), 1.0, atol=1e-5)
    assert np.array_equal(normalise_proprio(spec, raw[3]), normal[3])


def test_top_speed_for_one_transition_is_an_action_of_one() -> None:
    action = action_from_displacement(np.array([[0.025, -0.0125, 0.0]]), 3, 0.25, 0.1)
    assert action.dtype == np.float32
    assert np.allclose(action, [[1.0, -0.5, 0.0]])


def test_an_action_in_a_plane_has_no_z_and_its_velocity_none_either() -> None:
    displacement = np.array([[0.025, -0.0125, 0.01], [0.0, 0.025, -0.02]])
    action = action_from_displacement(displacement, 2, 0.25, 0.1)
    assert np.allclose(action, [[1.0, -0.5], [0.0, 1.0]])
    spec = make_spec(max_tool_speed=0.25, action_dim=2)
    assert np.allclose(tool_velocity(spec, action), [[0.25, -0.125, 0.0], [0.0, 0.25, 0.0]])
    assert tool_velocity(spec, np.zeros((4, 5, 2), np.float32)).shape == (4, 5, 3)


@given(st.lists(st.floats(-1.0, 1.0), min_size=3, max_size=3))
def test_velocity_and_displacement_are_inverse(values: list[float]) -> None:
    spec = make_spec(max_tool_speed=0.3)
    action = np.asarray(values, dtype=np.float32)
    moved = tool_velocity(spec, action) * spec.model_period
    again = action_from_displacement(moved, spec.action_dim, spec.max_tool_speed, spec.model_period)
    assert np.allclose(again, action, atol=1e-6)


@given(st.integers(1, 9), st.integers(0, 40))
def test_transitions_span_all_actions_once_and_only_the_last_is_short(chunk: int, count: int) -> None:
    found = spans(make_spec(chunk=chunk), count)
    assert [step for span in found for step in range(span.start, span.stop)] == list(range(count))
    lengths = [span.stop - span.start for span in found]
    assert all(length == chunk for length in lengths[:-1])
    assert all(1 <= length <= chunk for length in lengths)


def test_a_whole_chunk_and_a_part_of_one_as_the_prelude_is_told() -> None:
    spec, actions = make_spec(chunk=3, action_dim=2), np.arange(1, 7, dtype=np.float32).reshape(3, 2)
    assert chunked(spec, actions).tolist() == [1, 2, 3, 4, 5, 6, 1]
    assert np.allclose(chunked(spec, actions[:2]), [1, 2, 3, 4, 0, 0, 2 / 3])
    assert np.allclose(chunked(spec, np.stack([actions[1:], actions[:2]]))[0], [3, 4, 5, 6, 0, 0, 2 / 3])
    assert chunked(make_spec(action_dim=2), actions[:1]).tolist() == [1, 2]
