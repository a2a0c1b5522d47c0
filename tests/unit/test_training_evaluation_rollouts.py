from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from loopwm_ros.config import load_settings, share_dir
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.processing.states import chunked
from loopwm_ros.training.core import Prelude
from loopwm_ros.training.evaluation.probe import CONTEXT, SPACING, Probe, probe
from loopwm_ros.training.evaluation.rollouts import Rule, observe, roll, transition
from loopwm_ros.training.model import LoopWM, fixed_loops
from loopwm_ros.training.run import describe
from loopwm_ros.training.settings import TrainSettings
from tests.synthetic import synthetic_dataset

SETTINGS = load_settings(share_dir() / "config/train/tiny.yaml", TrainSettings)
HORIZON = 12


@pytest.fixture(scope="module")
def data() -> Dataset:
    return synthetic_dataset(episodes=3, frames=60)


@pytest.fixture(scope="module")
def spec(data: Dataset) -> ModelSpec:
    return describe(SETTINGS, data).spec


@pytest.fixture(scope="module")
def windows(data: Dataset, spec: ModelSpec) -> Probe:
    return probe("test", data, spec, HORIZON, most=100)


@pytest.fixture(scope="module")
def seen(windows: Probe, spec: ModelSpec) -> torch.Tensor:
    shape = len(windows), CONTEXT, spec.tokens, spec.width
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def model_of(spec: ModelSpec) -> LoopWM:
    torch.manual_seed(0)
    model = LoopWM(SETTINGS, spec).eval()
    model.core.prelude = Prelude(SETTINGS.core, spec.action_input)
    return model


def test_windows_begin_evenly_and_end_with_the_episode(windows: Probe, data: Dataset) -> None:
    begins = sorted(zip(windows.episode, windows.frames[:, 0] - 60 * windows.episode, strict=True))
    assert begins == [(e, 2 * start) for e in range(3) for start in (0, SPACING, 2 * SPACING)]
    assert windows.lengths.tolist() == [CONTEXT + HORIZON] * 6 + [30 - 2 * SPACING] * 3
    assert [windows.reaching(k) for k in (1, 2, 3, HORIZON)] == [9, 9, 6, 6]
    last = windows.frames[-1]
    assert (last[windows.lengths[-1] :] == last[windows.lengths[-1] - 1]).all()
    assert np.array_equal(windows.quantities[0, 5], data.labels[windows.frames[0, 5]])
    assert (windows.actions[:, 0] == 0).all()


def test_no_window_spans_a_gap(data: Dataset, spec: ModelSpec) -> None:
    stamps = data.stamps.copy()
    stamps[21:60] += 1.0  # between frames 20 and 21 of the first episode
    cut = probe("cut", replace(data, stamps=stamps), spec, HORIZON, most=100)
    ends = cut.frames[np.arange(len(cut)), cut.lengths - 1]
    assert all((end <= 20) == (begin <= 20) for begin, end in zip(cut.frames[:, 0], ends, strict=True))
    assert cut.lengths[(cut.episode == 0) & (cut.frames[:, 0] == 0)].tolist() == [11]


def test_episodes_that_are_too_short_are_named(data: Dataset, spec: ModelSpec) -> None:
    with pytest.raises(ConfigError, match=r"no episode of 'short' has 108 steps of 0\.1 s"):
        probe("short", data, spec, 100, most=10, least=100)


def test_a_rollout_is_one_transition_after_the_other(
    windows: Probe, seen: torch.Tensor, spec: ModelSpec
) -> None:
    model, rule = model_of(spec), Rule(3)
    state = observe(model, spec, windows, seen, rule)
    found = roll(model, spec, windows, seen, rule, (1, 4))
    for step in range(4):
        rows = windows.reaching(step + 1)
        told = torch.from_numpy(windows.actions[:rows, CONTEXT + step])
        with torch.no_grad():
            state = model.core(state[:rows], torch.zeros_like(state[:rows]), told, fixed_loops(3, rows))
        if step + 1 in found.states:
            assert torch.allclose(found.states[step + 1], state, atol=1e-5)
    assert [len(used) for used in found.used] == [9, 9, 6, 6]


def test_a_horizon_ends_with_a_shorter_chunk(windows: Probe, seen: torch.Tensor, spec: ModelSpec) -> None:
    wide = spec.model_copy(update={"chunk": 4})
    model, rule = model_of(wide), Rule(2)
    found = roll(model, wide, windows, seen, rule, (1, 4, 6))
    start = observe(model, wide, windows, seen, rule)

    def step(state: torch.Tensor, first: int, last: int) -> torch.Tensor:
        rows = windows.reaching(last)
        told = torch.from_numpy(chunked(wide, windows.actions[:rows, CONTEXT + first : CONTEXT + last]))
        with torch.no_grad():
            return transition(model, state[:rows], torch.zeros_like(state[:rows]), told, rule)[0]

    whole = step(start, 0, 4)
    assert torch.allclose(found.states[1], step(start, 0, 1), atol=1e-5)
    assert torch.allclose(found.states[4], whole, atol=1e-5)
    assert torch.allclose(found.states[6], step(whole, 4, 6), atol=1e-5)
    assert len(found.used) == 1, "the shorter transitions are not on the way"


def test_tests_end_each_row_by_itself(windows: Probe, seen: torch.Tensor, spec: ModelSpec) -> None:
    model, loops = model_of(spec), 5
    state, told = seen[:, 0], torch.from_numpy(windows.actions[:, CONTEXT])
    blind = torch.zeros_like(state)
    with torch.no_grad():
        injected, iterates = model.core.prelude(state, blind, told), [state]
        for _ in range(loops):
            iterates.append(model.core.block(iterates[-1], injected)[0])
        change = torch.stack([(b - a).flatten(1).norm(dim=1) for a, b in pairwise(iterates)])
        threshold = float(change[2].median())
        after, used = transition(model, state, blind, told, Rule(loops, "change", threshold))
    expected = [next((t for t in range(1, loops) if c[t - 1] < threshold), loops) for c in change.T]
    assert used.tolist() == expected
    assert len(set(expected)) > 1
    ends = torch.stack([iterates[t][row] for row, t in enumerate(expected)])
    with torch.no_grad():
        assert torch.allclose(after, model.core.coda(ends), atol=1e-5)


@pytest.mark.parametrize("test", ["gate", "second_difference", "change", "readout"])
def test_thresholds_that_are_never_and_always_met(
    test: str, windows: Probe, seen: torch.Tensor, spec: ModelSpec
) -> None:
    model = model_of(spec)
    never, always = (1.0, 0.0) if test == "gate" else (0.0, 1e9)
    told = torch.from_numpy(windows.actions[:, CONTEXT])
    with torch.no_grad():
        full, most = transition(model, seen[:, 0], seen[:, 0] * 0, told, Rule(4, test, never, (0, 1)))
        fixed, _ = transition(model, seen[:, 0], seen[:, 0] * 0, told, Rule(4))
        _, least = transition(model, seen[:, 0], seen[:, 0] * 0, told, Rule(4, test, always, (0, 1)))
    assert torch.allclose(full, fixed, atol=1e-5)
    assert (most == 4).all()
    assert (least == (1 if test in ("gate", "change") else 2)).all()
