import numpy as np
import pytest

from loopwm_ros.config import load_task
from loopwm_ros.data.recorder import turn_label
from loopwm_ros.training.evaluate import points as columns_of
from loopwm_ros.training.evaluation.joints import ridge
from loopwm_ros.training.evaluation.measures import place_errors, still
from loopwm_ros.training.evaluation.points import Points, points_of
from loopwm_ros.training.evaluation.probe import CONTEXT, Probe

TASK = load_task("clutter")
COLUMNS = columns_of(TASK.quantities)
AT = CONTEXT + 2


class Named:
    """As much of a spec as the quantities need."""

    quantities = TASK.quantities


@pytest.fixture
def points() -> Points:
    return points_of(Named, TASK, ("goal",))


@pytest.fixture
def windows() -> Probe:
    """Two windows: the cube goes 4 cm in the first; blue is not in the second."""
    shape = 2, CONTEXT + 3
    quantities = np.zeros((*shape, len(TASK.quantities)), dtype=np.float32)
    known = np.ones(quantities.shape, dtype=bool)
    quantities[0, CONTEXT:, COLUMNS["cube"][0]] = 0.04
    for name in ("cube_turn", "blue_turn", "yellow_turn"):
        quantities[..., COLUMNS[name]] = turn_label(0.1)[:2]
    known[1][:, COLUMNS["blue"]] = False
    flags = np.ones(shape, dtype=bool)
    steps = np.tile(np.arange(shape[1]), (2, 1))
    joints = np.zeros((*shape, 7), dtype=np.float32)
    return Probe(
        "x", steps, np.full(2, shape[1]), np.arange(2), quantities[..., :3], quantities, known, joints,
        flags.astype(np.float32), flags,
    )  # fmt: skip


def test_quantities_are_sorted_by_what_they_belong_to(points: Points) -> None:
    assert list(points.objects) == ["cube", "blue", "yellow"]
    assert list(points.turns) == ["cube", "blue", "yellow"]
    assert points.tool == [0, 1, 2]
    assert set(COLUMNS["goal"]).isdisjoint(points.predicted)
    assert points_of(Named, TASK, ("goal", "cube_turn")).turns.keys() == {"blue", "yellow"}


def test_errors_are_of_each_object_and_of_all(points: Points, windows: Probe) -> None:
    located = windows.quantities[:, AT].copy()
    located[:, COLUMNS["cube"][1]] += 0.03
    located[:, COLUMNS["yellow"][0]] += 0.06
    located[:, 2] += 0.01
    errors = place_errors(windows, points, AT, located)
    assert errors["tool"] == pytest.approx([0.01, 0.01])
    assert errors["cube"] == pytest.approx([0.03, 0.03])
    assert np.isnan(errors["blue"]).tolist() == [False, True]
    assert errors["object"] == pytest.approx([0.03, 0.045])
    assert errors["object_moved"] == pytest.approx([0.03, np.nan], nan_ok=True)
    assert errors["object_static"] == pytest.approx([0.03, 0.045])


def test_what_has_fallen_off_the_table_is_not_there_any_more(points: Points, windows: Probe) -> None:
    windows.quantities[0, AT, COLUMNS["cube"][2]] = -7.0
    errors = place_errors(windows, points, AT, np.zeros_like(windows.quantities[:, AT]))
    assert np.isnan(errors["cube"]).tolist() == [True, False]
    assert errors["object"] == pytest.approx([0.0, 0.0])


def test_yaw_goes_round_every_quarter_turn(points: Points, windows: Probe) -> None:
    located = windows.quantities[:, AT].copy()
    located[:, COLUMNS["cube_turn"]] = 0.2 * turn_label(0.1 + np.pi / 2 - 0.07)[:2]
    errors = place_errors(windows, points, AT, located)
    assert errors["cube_yaw"] == pytest.approx([0.07, 0.07], abs=1e-5)
    assert errors["yaw_moved"] == pytest.approx([0.07, np.nan], nan_ok=True, abs=1e-5)


def test_standing_still_is_off_by_what_moved(points: Points, windows: Probe) -> None:
    errors = still(windows, points, 3)
    assert errors["cube"] == pytest.approx([0.04, 0.0])
    assert errors["object_static"] == pytest.approx([0.0, 0.0])


def test_joints_are_read_from_embeddings() -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(500, 12)).astype(np.float32)
    outputs = (inputs @ random.normal(size=(12, 7)) + 0.5).astype(np.float32)
    read = ridge(inputs, outputs)
    assert read(inputs[:3]) == pytest.approx(outputs[:3], abs=1e-2)
