from dataclasses import replace

import numpy as np
import pytest
import torch

from loopwm_ros.config import load_settings, share_dir
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training.evaluation.intervals import ratio_interval
from loopwm_ros.training.evaluation.loops import by_phase, looping, needed
from loopwm_ros.training.evaluation.phases import FREE, ONSET, SUSTAINED, phases
from loopwm_ros.training.evaluation.points import Points
from loopwm_ros.training.evaluation.probe import CONTEXT, Probe, probe
from loopwm_ros.training.evaluation.rollouts import Rule, observe, transition
from loopwm_ros.training.evaluation.subjects import Subject
from loopwm_ros.training.evaluation.transition_errors import transition_errors
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.run import describe
from loopwm_ros.training.settings import TrainSettings
from tests.synthetic import synthetic_dataset

SETTINGS = load_settings(share_dir() / "config/train/tiny.yaml", TrainSettings)
POINTS = Points(tool=[0, 1, 2], objects={"ball": [3, 4, 5]}, turns={}, predicted=(0, 1, 2, 3, 4, 5))
HORIZON = 10


@pytest.fixture(scope="module")
def data() -> Dataset:
    return synthetic_dataset(episodes=4, frames=50)


@pytest.fixture(scope="module")
def spec(data: Dataset) -> ModelSpec:
    return describe(SETTINGS, data).spec


@pytest.fixture
def windows(data: Dataset, spec: ModelSpec) -> Probe:
    """The ball of the first window is pushed in steps 4, 5 and 9, by 1 cm each."""
    made = probe("test", data, spec, HORIZON, most=100)
    quantities = made.quantities.copy()
    for step in (4, 5, 9):
        quantities[0, CONTEXT + step :, 3] += 0.01
    return replace(made, quantities=quantities)


@pytest.fixture(scope="module")
def subject(data: Dataset, spec: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    torch.manual_seed(0)
    folder = tmp_path_factory.getbasetemp()
    return Subject(folder, SETTINGS, spec, LoopWM(SETTINGS, spec).eval(), POINTS, "a" * 40, "0" * 64)


@pytest.fixture
def seen(windows: Probe, spec: ModelSpec) -> torch.Tensor:
    shape = len(windows), CONTEXT, spec.tokens, spec.width
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_an_onset_comes_after_three_still_steps(windows: Probe) -> None:
    found = phases(windows, POINTS, chunk=1)
    expected = [FREE] * 4 + [ONSET, SUSTAINED] + [FREE] * 3 + [ONSET]
    assert found[0].tolist() == expected
    assert (found[1:] == FREE).all()
    soon = windows.quantities.copy()
    soon[0, CONTEXT + 7 :, 3] += 0.01
    again = phases(replace(windows, quantities=soon), POINTS, chunk=1)
    assert again[0].tolist() == [*expected[:7], SUSTAINED, FREE, SUSTAINED]


def test_a_chunk_is_what_begins_in_it(windows: Probe) -> None:
    assert phases(windows, POINTS, chunk=2)[0].tolist() == [FREE, FREE, ONSET, FREE, ONSET]
    assert phases(windows, POINTS, chunk=4)[0].tolist() == [FREE, ONSET], "the last two steps are no chunk"


def test_what_has_no_label_is_not_pushed(windows: Probe) -> None:
    known = windows.known.copy()
    known[..., 3] = False
    assert (phases(replace(windows, known=known), POINTS, chunk=1) == FREE).all()


def test_iterations_are_split_by_phase(windows: Probe) -> None:
    phase = phases(windows, POINTS, chunk=1)
    used = [torch.full((windows.reaching(step + 1),), 2) for step in range(HORIZON)]
    used[4][0] = used[9][0] = 6
    used[5][0] = 3
    found = by_phase(windows, phase, [used, used])
    assert found.free is not None
    assert found.onset is not None
    assert found.sustained is not None
    assert found.onset_to_free is not None
    assert (found.free.mean, found.onset.mean, found.sustained.mean) == (2.0, 6.0, 3.0)
    assert found.onset_to_free.mean == pytest.approx(3.0)
    assert found.histogram["onset"] == [0, 0, 0, 0, 0, 0, 4]


def test_a_ratio_is_of_the_same_episodes() -> None:
    top = np.array([[2.0, 20.0, 200.0]])
    found = ratio_interval(top, top / 2, np.arange(3))
    assert found is not None
    assert (found.low, found.mean, found.high) == pytest.approx((2.0, 2.0, 2.0))
    assert ratio_interval(top, np.full((1, 3), np.nan), np.arange(3)) is None


def test_iterations_that_change_nothing_are_not_needed(
    subject: Subject, windows: Probe, seen: torch.Tensor
) -> None:
    first = needed(subject, seen, windows, HORIZON)
    assert [len(step) for step in first] == [windows.reaching(k + 1) for k in range(HORIZON)]
    assert all(1 <= int(used) <= subject.spec.max_loops for step in first for used in step)
    assert max(int(step.max()) for step in first) > 1
    loose = SETTINGS.rollout.model_copy(update={"settle_tolerance": 1e6})
    easy = replace(subject, settings=SETTINGS.model_copy(update={"rollout": loose}))
    assert all((step == 1).all() for step in needed(easy, seen, windows, HORIZON))


def test_one_transition_is_split_by_what_happens_in_it(
    subject: Subject, windows: Probe, seen: torch.Tensor
) -> None:
    quantities = windows.quantities.copy()
    quantities[0, CONTEXT:, 3] += 0.5  # contact begins in the first transition
    found = transition_errors([subject], replace(windows, quantities=quantities), [seen])
    assert [made.loops for made in found] == ["1", "2", "4", "8", "gate"]
    (four,) = (made.errors for made in found if made.loops == "4")
    assert four["onset"]["object"].windows == 1
    assert four["free"]["object"].windows == len(windows) - 1
    assert four["sustained"] == {}
    assert four["onset"]["object_moved"].mean == four["onset"]["object"].mean
    assert "object_moved" not in four["free"]
    with torch.no_grad():
        told = torch.from_numpy(windows.actions[:, CONTEXT])
        state = observe(subject.model, subject.spec, windows, seen, Rule(4))
        state, _ = transition(subject.model, state, torch.zeros_like(state), told, Rule(4))
        located = subject.model.heads.locate(state)[0, 3:6].numpy()
    off = float(np.linalg.norm(located - quantities[0, CONTEXT, 3:6]))
    assert four["onset"]["object"].mean == pytest.approx(off, rel=1e-4)


def test_every_exit_is_held_against_all_iterations(
    subject: Subject, windows: Probe, seen: torch.Tensor
) -> None:
    found = looping([subject, subject], windows, [seen, seen])
    most = subject.spec.max_loops
    assert [depth.loops for depth in found.depths] == [1, 2, 4, most, 2 * most, 3 * most, 4 * most]
    (full,) = (depth for depth in found.depths if depth.loops == most)
    ratio = full.against_full["tool"][10]
    assert (ratio.low, ratio.mean, ratio.high) == pytest.approx((1.0, 1.0, 1.0))
    assert {made.test for made in found.exits} == {"gate", "second_difference", "change", "readout"}
    for test in ("second_difference", "change", "readout"):
        used = [made.loops.all.mean for made in found.exits if made.test == test and made.loops.all]
        assert used == sorted(used, reverse=True), "a larger threshold ends loops sooner"
    assert set(full.errors) == {"tool", "object", "object_moved", "object_static"}
