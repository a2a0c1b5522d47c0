"""The parity check where transitions span several actions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from loopwm_ros.config import load_arm, load_settings, share_dir
from loopwm_ros.training.export import export_bundle
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.parity import check_parity
from loopwm_ros.training.run import Description, Trained
from loopwm_ros.training.sample import RealWindows
from loopwm_ros.training.settings import TrainSettings
from tests.fakes import make_spec
from tests.synthetic import LinearKinematics, synthetic_dataset

CHUNK, STEPS = 4, 8  # 2 steps are observed, so 7 actions are imagined: a whole chunk and one of 3


@pytest.fixture(scope="module")
def untrained() -> Trained:
    """Weights as they are drawn, and windows of a made-up arm."""
    settings = load_settings(share_dir() / "config/train/tiny.yaml", TrainSettings)
    core, arm = settings.core, load_arm("panda")
    spec = make_spec(
        chunk=CHUNK,
        image_width=48,
        image_height=36,
        tokens=core.tokens,
        width=core.width,
        max_tool_speed=0.25,
    )
    data = synthetic_dataset(episodes=2, frames=2 * STEPS + 4, image_size=(48, 36))
    at = data.windows(np.arange(2), STEPS + 1, 2)[:2]
    windows = RealWindows(data.images[at], data.proprio[at].astype(np.float64), data.actions(at, spec))
    torch.manual_seed(0)
    model = LoopWM(settings, spec)
    with torch.no_grad():  # read-outs of metres, so that what differs shows
        model.heads.direct.weight.normal_(std=0.1)
    description = Description(
        arm="panda", task="reach", camera=arm.camera, spec=spec, data_sha256="0" * 64, episodes=2
    )
    return Trained(settings, description, model, windows, {}, "0" * 40)


class Unlike(torch.nn.Module):
    """Differs from a prelude only for transitions that span this share of a chunk."""

    def __init__(self, part: torch.nn.Module, share: float) -> None:
        super().__init__()
        self.part, self.share = part, share

    def forward(self, state: torch.Tensor, tokens: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        return self.part(state, tokens, action) + (action[:, -1:, None] == self.share)


def test_a_bundle_of_chunks_computes_what_torch_does(untrained: Trained, tmp_path: Path) -> None:
    exported = export_bundle(untrained, LinearKinematics(), tmp_path / "bundle")
    assert exported.bundle.manifest.graphs["prelude"].inputs[2].shape == (None, CHUNK * 3 + 1)
    assert max(exported.errors.values()) < 1e-5
    prelude = untrained.model.core.prelude
    for share in (0.25, 0.5, 0.75, 1.0):
        untrained.model.core.prelude = Unlike(prelude, share)
        errors = check_parity(untrained.model, exported.bundle, untrained.windows, LinearKinematics())
        assert errors["rollout"] > 1e-2, f"spans of {share:g} chunk are compared"
    untrained.model.core.prelude = prelude
