"""Small recordings of a made-up episode, for tests of everything that reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from loopwm_ros.config import ArmConfig, CameraConfig, TaskConfig, load_arm, load_task
from loopwm_ros.data.writer import EpisodeWriter
from loopwm_ros.types import F64, CameraFrame, JointState

SERVO = 0.0125  # [s]
SERVO_PER_FRAME = 4
LEAD = 0.02  # commands are this far ahead of the joints [s]


def arm() -> ArmConfig:
    return load_arm("panda")


def task() -> TaskConfig:
    return load_task("reach")


def camera() -> CameraConfig:
    return arm().camera


def joints_at(now: float) -> F64:
    """A slow swing of all joints [rad]."""
    return np.asarray(arm().home) + 0.1 * np.sin(np.pi * now)


def ball_at(frame: int) -> F64:
    """The ball rises 1 cm a frame."""
    return np.array([0.5, -0.1, 0.03 + 0.01 * frame])


def image(seed: int) -> np.ndarray:
    """A smooth image, so that JPEG hardly changes it."""
    row = np.linspace(seed % 100, 200, camera().width)[None, :, None]
    return np.broadcast_to(row, (camera().height, camera().width, 3)).astype(np.uint8)


def write_episode(path: Path, seed: int = 0, frames: int = 10, labels: bool = True, drop: int = -1) -> Path:
    """A whole recording; frame `drop` is left out. The task is done in the last two frames."""
    writer = EpisodeWriter(path, arm(), camera())
    for tick in range(frames * SERVO_PER_FRAME):
        now = tick * SERVO
        writer.joint_state(JointState(now, joints_at(now), np.full(7, 0.5)))
        writer.command(now, joints_at(now + LEAD))
        frame, rest = divmod(tick, SERVO_PER_FRAME)
        if rest or frame == drop:
            continue
        writer.frame(CameraFrame(now, image(seed)))
        if labels:
            writer.label(now, "ball", ball_at(frame))
            writer.reward(now, -0.1 * frame)
            writer.done(now, frame >= frames - 2)
    writer.close({"seed": str(seed)})
    return path
