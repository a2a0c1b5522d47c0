"""What the stand-in's sensors add to the truth. The same moment of the same episode always reads the same."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from loopwm_ros.standin.settings import StandinSettings
from loopwm_ros.types import F64, U8


class Stream(IntEnum):
    """Independent random numbers of one episode; streams 0 and 1 drew the scene and what goes wrong in it."""

    PLANT = 2
    LOOKS = 3
    JOINTS = 4
    PICTURE = 5
    FRAME = 6
    COMMAND = 7


class Sensors:
    """Encoders and a camera of one episode."""

    def __init__(self, settings: StandinSettings, seed: int) -> None:
        self._settings, self._seed = settings, seed
        rng = np.random.default_rng((seed, Stream.LOOKS))
        exposure = rng.uniform(-1.0, 1.0) * settings.exposure_share
        tint = rng.uniform(-1.0, 1.0, 3) * settings.tint_share
        self._gain: F64 = (1.0 + exposure) * (1.0 + tint)

    def joints(self, step: int, position: F64, velocity: F64) -> tuple[F64, F64]:
        """Measured positions [rad] and velocities [rad/s] (n,) after `step` steps."""
        settings, rng = self._settings, self._random(Stream.JOINTS, step)
        position = position + settings.joint_noise * rng.standard_normal(len(position))
        if settings.joint_step:
            position = np.round(position / settings.joint_step) * settings.joint_step
        return position, velocity + settings.velocity_noise * rng.standard_normal(len(velocity))

    def picture(self, step: int, rgb: U8) -> U8:
        """The picture (height, width, 3) as this camera takes it."""
        noise = self._random(Stream.PICTURE, step).standard_normal(rgb.shape, dtype=np.float32)
        seen = rgb * self._gain.astype(np.float32) + self._settings.pixel_noise * noise
        return np.clip(np.rint(seen), 0, 255).astype(np.uint8)

    def frame_delay(self, step: int) -> float:
        """Beyond the camera's latency [s]."""
        late = self._random(Stream.FRAME, step).uniform(0.0, self._settings.camera_jitter)
        return self._settings.camera_delay + float(late)

    def _random(self, stream: Stream, step: int) -> np.random.Generator:
        return np.random.default_rng((self._seed, stream, step))
