"""The parity check where transitions span several actions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from loopwm_ros.training.export import export_bundle
from loopwm_ros.training.parity import check_parity
from loopwm_ros.training.run import Trained
from tests.synthetic import LinearKinematics
from tests.untrained import untrained

CHUNK, STEPS = 4, 8  # 2 steps are observed, so 7 actions are imagined: a whole chunk and one of 3


@pytest.fixture(scope="module")
def run() -> Trained:
    return untrained(CHUNK, STEPS)


class Unlike(torch.nn.Module):
    """Differs from a prelude only for transitions that span this share of a chunk."""

    def __init__(self, part: torch.nn.Module, share: float) -> None:
        super().__init__()
        self.part, self.share = part, share

    def forward(self, state: torch.Tensor, tokens: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        return self.part(state, tokens, action) + (action[:, -1:, None] == self.share)


def test_a_bundle_of_chunks_computes_what_torch_does(run: Trained, tmp_path: Path) -> None:
    exported = export_bundle(run, LinearKinematics(), tmp_path / "bundle")
    assert exported.bundle.manifest.graphs["prelude"].inputs[2].shape == (None, CHUNK * 3 + 1)
    assert max(exported.errors.values()) < 1e-5
    prelude = run.model.core.prelude
    for share in (0.25, 0.5, 0.75, 1.0):
        run.model.core.prelude = Unlike(prelude, share)
        errors = check_parity(run.model, exported.bundle, run.windows, LinearKinematics())
        assert errors["rollout"] > 1e-2, f"spans of {share:g} chunk are compared"
    run.model.core.prelude = prelude
