import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from loopwm_ros.config import load_settings, share_dir
from loopwm_ros.training.distributed import Workers
from loopwm_ros.training.evaluation import timing
from loopwm_ros.training.evaluation.flops import HORIZON, flops, parameters
from loopwm_ros.training.evaluation.gain import gain, largest_singular_values
from loopwm_ros.training.evaluation.intervals import growth_interval
from loopwm_ros.training.evaluation.phases import FREE, ONSET
from loopwm_ros.training.evaluation.probe import CONTEXT, Probe, probe
from loopwm_ros.training.evaluation.subjects import Subject, load_subject
from loopwm_ros.training.evaluation.timing import FREE_BATCHES, runtimes, timings
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.run import train
from loopwm_ros.training.settings import TrainSettings
from tests.synthetic import LinearKinematics, synthetic_dataset

SETTINGS = load_settings(share_dir() / "config/train/tiny.yaml", TrainSettings)


class Silent:
    def scalars(self, stage: str, step: int, values: dict[str, float]) -> None:
        pass


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    run = tmp_path_factory.mktemp("runs") / "tiny"
    alone = Workers(0, 1, torch.device("cpu"))
    train(SETTINGS, synthetic_dataset(episodes=4, frames=40), run, alone, Silent(), resume=False)
    return load_subject(run, torch.device("cpu"))


@pytest.fixture
def windows(subject: Subject) -> Probe:
    return probe("test", synthetic_dataset(episodes=3, frames=60, seed=9), subject.spec, 12, most=100)


@pytest.fixture
def seen(windows: Probe, subject: Subject) -> torch.Tensor:
    shape = len(windows), CONTEXT, subject.spec.tokens, subject.spec.width
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_operations_add_up(subject: Subject) -> None:
    found, loops = flops(subject), subject.spec.mean_loops
    one = found.graphs["prelude"] + loops * found.graphs["block"] + found.graphs["coda"]
    assert found.transition == {1: one, 64: 64 * one}
    assert found.rollout == {batch: batch * (HORIZON * one + found.graphs["heads"]) for batch in (1, 64)}
    tokens, width, count = subject.spec.tokens, subject.spec.width, len(subject.spec.quantities)
    size, hidden = tokens * width, SETTINGS.core.head_hidden
    read = size * count + size * hidden + hidden * count  # of places
    rest = size * hidden + hidden * 2 + tokens * 2 * width * hidden  # of outcome and latent
    assert found.graphs["heads"] == 2 * (read + rest)


def test_parameters_are_of_each_part(subject: Subject) -> None:
    counted = parameters(subject)
    assert sum(counted.values()) == sum(p.numel() for p in subject.model.parameters())
    assert counted["monitor"] == 16 * 16 + 16


def test_the_robots_runtime_is_timed(
    subject: Subject, windows: Probe, seen: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "REPEATS", (3, 3))
    monkeypatch.setattr(timing, "Kinematics", lambda _arm: LinearKinematics())
    found = timings(subject, windows, seen)
    runtimes = ("mean", "max", "gate", "readout")
    assert [(made.loops, made.candidates, made.base_steps) for made in found if made.free] == [
        (name, rows, subject.spec.chunk) for name in runtimes for rows in FREE_BATCHES
    ]
    assert {(made.loops, made.candidates, made.base_steps) for made in found if not made.free} == {
        *itertools.product(runtimes, (1, 64), (1, 64))
    }
    iterations = {made.loops: made.mean_loops for made in found}
    assert iterations["mean"] == subject.spec.mean_loops
    assert iterations["max"] == subject.spec.max_loops
    assert 1 <= iterations["gate"] <= subject.spec.max_loops
    assert all(made.repeats == 3 and made.ms.p50 is not None and made.ms.p50 > 0 for made in found)


def test_transitions_of_free_motion_are_whole_ones_that_push_nothing(
    subject: Subject, windows: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = len(windows), subject.spec.tokens, subject.spec.width
    states = np.arange(len(windows), dtype=np.float32)[:, None, None] + np.zeros(shape, dtype=np.float32)
    found = np.full((len(windows), 1), ONSET)
    found[[0, 2, len(windows) - 1]] = FREE
    lengths = windows.lengths.copy()
    lengths[-1] = CONTEXT  # nothing follows what was observed: what stands there are repeated frames
    monkeypatch.setattr(timing, "phases", lambda *_: found)
    asked = timing._free(subject, states, replace(windows, lengths=lengths), 4)
    chosen, actions = asked(0)
    assert chosen[:, 0, 0].tolist() == [0, 2, 0, 2]
    np.testing.assert_array_equal(actions[1], windows.actions[2, CONTEXT : CONTEXT + subject.spec.chunk])
    found[:] = ONSET
    assert timing._free(subject, states, windows, 4) is None


def test_a_gain_is_the_largest_singular_value() -> None:
    generator = torch.Generator().manual_seed(1)
    matrices = torch.randn(5, 6, 6, generator=generator)

    def bent(at: torch.Tensor) -> torch.Tensor:
        return torch.tanh((matrices @ at.reshape(5, 6, 1)).reshape(at.shape))

    at = 0.3 * torch.randn(5, 2, 3, generator=generator)
    found = largest_singular_values(bent, at)
    for row in range(5):
        slope = 1 - bent(at)[row].flatten() ** 2
        exact = torch.linalg.svdvals(slope[:, None] * matrices[row])[0]
        assert found[row] == pytest.approx(float(exact), rel=1e-3)


def test_gains_are_of_transitions_and_iterations(
    subject: Subject, windows: Probe, seen: torch.Tensor
) -> None:
    found = gain(subject, windows, seen)
    assert found.transition.count == sum(windows.reaching(k) for k in (1, 2, 3))
    assert found.iteration is not None
    assert found.iteration.count == subject.spec.mean_loops * found.transition.count
    assert found.iteration.p5 <= found.iteration.p50 <= found.iteration.p95 <= found.iteration.max
    exact = subject.model.core.block.retention.retained
    assert found.retained is not None
    assert found.retained.max == pytest.approx(exact.detach().max().item())


@pytest.mark.parametrize("kind", ["fixed_depth", "gru", "rssm", "latent_mlp"])
def test_cores_without_a_loop_are_measured(
    kind: str, subject: Subject, windows: Probe, seen: torch.Tensor
) -> None:
    core = SETTINGS.core.model_copy(
        update={"kind": kind, "layers": 2, "inner_width": 16, "mean_loops": 1, "max_loops": 1}
    )
    spec = subject.spec.model_copy(update={"mean_loops": 1, "max_loops": 1})
    settings = SETTINGS.model_copy(update={"core": core})
    other = replace(subject, settings=settings, spec=spec, model=LoopWM(settings, spec).eval())
    found = gain(other, windows, seen)
    assert found.transition.max > 0
    assert found.iteration is None
    assert found.retained is None
    cost = flops(other)
    assert cost.graphs["prelude"] == cost.transition[1] > 0
    assert cost.graphs["block"] == cost.graphs["coda"] == 0
    assert set(runtimes(other)) == {"mean"}


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_growth_is_the_exponent(power: float) -> None:
    horizons = np.arange(100, 1001, 100)
    scale = np.random.default_rng(0).uniform(0.5, 1.5, 12)
    found = growth_interval(horizons, horizons[:, None] ** power * scale, np.arange(12) // 2)
    assert found is not None
    assert (found.low, found.mean, found.high) == pytest.approx((power, power, power))
    assert growth_interval(horizons, np.full((10, 12), np.nan), np.arange(12)) is None
