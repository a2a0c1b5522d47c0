"""What a run trains, and on what."""

from __future__ import annotations

from loopwm_ros.config import CameraConfig, Settings
from loopwm_ros.model_spec import ModelSpec


class Description(Settings):
    """`run.json`: what the model is, and what it was trained on."""

    arm: str
    task: str
    camera: CameraConfig
    spec: ModelSpec
    data_sha256: str
    episodes: int
