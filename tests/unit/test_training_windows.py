import numpy as np
import pytest
import torch

from loopwm_ros.config import load_settings, share_dir
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.processing.states import chunked
from loopwm_ros.training.run import describe
from loopwm_ros.training.settings import TrainSettings
from loopwm_ros.training.windows import (
    Bank,
    Starts,
    WindowStarts,
    actions_ahead,
    chunk_lengths,
    draw_mixed,
    make_bank,
    single,
    windows_at,
)
from tests.synthetic import synthetic_dataset

TINY = load_settings(share_dir() / "config/train/tiny.yaml", TrainSettings)
CHUNK = 4
SPEC = describe(TINY.model_copy(update={"chunk": CHUNK}), synthetic_dataset()).spec


@pytest.fixture(scope="module")
def data() -> Dataset:
    return synthetic_dataset(episodes=3, frames=40)


@pytest.fixture(scope="module")
def bank(data: Dataset) -> Bank:
    return make_bank(data, SPEC, torch.arange(len(data))[:, None, None].float())


def test_a_transition_is_told_what_the_robot_would_tell_it(data: Dataset, bank: Bank) -> None:
    lengths = torch.tensor([[1, 1], [1, 1], [4, 2], [3, 4]])
    window = windows_at(bank, CHUNK, 2, torch.tensor([0, 41]), lengths)
    for row, start in enumerate((0, 41)):
        frame = start
        for step, length in enumerate(lengths[:, row].tolist()):
            frames = np.arange(frame, frame + 2 * length + 1, 2)
            told = chunked(SPEC, data.actions(frames[None], SPEC))[0]
            if step:
                assert np.allclose(window.actions[step, row].numpy(), told, atol=1e-6)
                frame = int(frames[-1])
            assert window.tokens[step, row].item() == frame
            assert np.allclose(window.quantities[step, row].numpy(), data.labels[frame])


def test_the_first_action_is_zero_and_spans_one(bank: Bank) -> None:
    window = windows_at(bank, CHUNK, 2, torch.tensor([5]), torch.tensor([[1], [4]]))
    told = chunked(SPEC, np.zeros((1, SPEC.action_dim), dtype=np.float32))
    assert np.array_equal(window.actions[0, 0].numpy(), told)


def test_one_action_is_told_alike_in_a_batch() -> None:
    actions = torch.randn(5, 2, SPEC.action_dim)
    assert np.allclose(single(actions, CHUNK).numpy(), chunked(SPEC, actions.numpy()[..., None, :]))
    assert torch.equal(single(actions, 1), actions)


def test_observed_transitions_span_one_action_and_some_imagined_ones_fewer_than_they_may() -> None:
    lengths = chunk_lengths(3, 10, CHUNK, 500, 0.4, torch.Generator().manual_seed(0))
    assert lengths.shape == (3 + 3, 500)
    assert (lengths[:3] == 1).all()
    assert set(lengths[3:].unique().tolist()) == {1, 2, 3, 4}
    assert 0.22 < (lengths[3:] < CHUNK).float().mean() < 0.38  # three in four of the 0.4
    assert (chunk_lengths(3, 10, CHUNK, 9, 0.0, torch.Generator())[3:] == CHUNK).all()


def test_windows_stay_within_their_episodes(data: Dataset) -> None:
    ahead = actions_ahead(data, 2)
    assert ahead[:4].tolist() == [19, 19, 18, 18]
    assert ahead[38:42].tolist() == [0, 0, 19, 19]
    labels, known = torch.from_numpy(data.labels), torch.from_numpy(data.label_mask)
    starts = WindowStarts(labels, known, torch.from_numpy(ahead), 2, [[0, 1, 2]]).of(6)
    everything = torch.cat(list(starts)).sort().values
    assert torch.equal(everything, torch.from_numpy(data.windows(np.arange(3), 6, 2)[:, 0]).sort().values)
    way = (labels[starts.still + 10] - labels[starts.still])[:, :3].norm(dim=1)
    assert (way <= 0.005).all()
    with pytest.raises(ConfigError, match="no episode is long enough for 21"):
        WindowStarts(labels, known, torch.from_numpy(ahead), 2, []).of(21)


def test_a_share_of_a_batch_moves() -> None:
    starts = Starts(torch.arange(10), torch.arange(10, 1000))
    drawn = draw_mixed(starts, 0.6, 200, torch.Generator().manual_seed(0))
    assert (drawn < 10).sum() == 120
    only = draw_mixed(Starts(starts.moving[:0], starts.still), 0.6, 50, torch.Generator())
    assert len(only) == 50
