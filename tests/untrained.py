"""A model of the tiny settings with weights as they are drawn, and windows of a made-up arm."""

from __future__ import annotations

import numpy as np
import torch

from loopwm_ros.config import load_arm, load_settings, share_dir
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.run import Description, Trained
from loopwm_ros.training.sample import RealWindows
from loopwm_ros.training.settings import CoreSettings, TrainSettings
from tests.fakes import make_spec
from tests.synthetic import synthetic_dataset

PERIOD = 2  # frames of an action


def untrained(chunk: int, steps: int, **core: object) -> Trained:
    """As a finished run: transitions of `chunk` actions, windows of `steps` observations.

    `core`: changes of the settings of the core.
    """
    tiny, arm = load_settings(share_dir() / "config/train/tiny.yaml", TrainSettings), load_arm("panda")
    changed = CoreSettings.model_validate({**tiny.core.model_dump(), **core})
    settings = tiny.model_copy(update={"chunk": chunk, "core": changed})
    spec = make_spec(
        chunk=chunk,
        image_width=48,
        image_height=36,
        tokens=changed.tokens,
        width=changed.width,
        max_tool_speed=0.25,
        mean_loops=changed.mean_loops,
        max_loops=changed.max_loops,
        iterate=changed.iterate,
    )
    data = synthetic_dataset(episodes=2, frames=PERIOD * steps + 4, image_size=(48, 36))
    at = data.windows(np.arange(2), steps + 1, PERIOD)[:2]
    windows = RealWindows(data.images[at], data.proprio[at].astype(np.float64), data.actions(at, spec))
    torch.manual_seed(0)
    model = LoopWM(settings, spec)
    with torch.no_grad():  # read-outs of metres, so that what differs shows
        model.heads.direct.weight.normal_(std=0.1)
    described = Description(
        arm="panda", task="reach", camera=arm.camera, spec=spec, data_sha256="0" * 64, episodes=2
    )
    return Trained(settings, described, model, windows, {}, "0" * 40)
