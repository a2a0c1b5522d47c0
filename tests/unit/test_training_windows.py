"""Windows of transitions that span several actions: what training tells the core is what the robot does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from loopwm_ros.processing.states import chunked
from loopwm_ros.training.windows import make_bank, windows_at
from tests.fakes import make_spec
from tests.synthetic import synthetic_dataset

LENGTHS = ([1, 1, 4, 4, 2], [1, 1, 3, 1, 4])  # actions of each transition: seen, seen, and then imagined
STRIDE = 2  # frames of one action


@pytest.mark.parametrize("chunk", [4, 6])
def test_the_core_is_told_in_training_what_it_is_told_on_the_robot(chunk: int) -> None:
    spec, data = make_spec(chunk=chunk, max_tool_speed=0.25), synthetic_dataset(episodes=1, frames=40)
    tokens = torch.arange(40.0)[:, None, None].expand(40, spec.tokens, spec.width)
    starts = [3, 8]
    window = windows_at(
        make_bank(data, spec, tokens), chunk, STRIDE, torch.tensor(starts), torch.tensor(LENGTHS).T
    )
    for row, (start, lengths) in enumerate(zip(starts, LENGTHS, strict=True)):
        ends = start + STRIDE * (np.cumsum(lengths) - 1)
        assert window.tokens[:, row, 0, 0].tolist() == ends.tolist()
        actions = data.actions(start + STRIDE * np.arange(sum(lengths))[None], spec)[0]
        none = np.zeros((1, spec.action_dim), dtype=np.float32)
        expected = [chunked(spec, none)]  # nothing is known of what led to the first
        for step in range(1, len(lengths)):
            before = sum(lengths[1:step])
            expected.append(chunked(spec, actions[before : before + lengths[step]]))
        np.testing.assert_allclose(window.actions[:, row].numpy(), np.stack(expected), atol=1e-6)
