"""A data set made up in memory: a tool that lags behind its commands, a still ball, and a picture of both."""

from __future__ import annotations

import numpy as np

from loopwm_ros.config import load_arm, load_task
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.data.samples import sample_settings
from loopwm_ros.processing.camera import project

PERIOD = 0.05  # between frames [s]
LAG = 0.08  # of the tool behind its command [s]
JOINTS = 7
MIXING = np.linspace(-1, 1, JOINTS * 3).reshape(JOINTS, 3) ** 3 + 0.1  # tool position to joints


class LinearKinematics:
    """Forward kinematics of the made-up arm."""

    def tool_position(self, q: np.ndarray) -> np.ndarray:
        return np.linalg.pinv(MIXING) @ q


def synthetic_dataset(
    episodes: int = 6, frames: int = 40, image_size: tuple[int, int] = (96, 72), seed: int = 0
) -> Dataset:
    """Episodes of the reach task; `image_size` is (width, height) [px]."""
    rng = np.random.default_rng(seed)
    task = load_task("reach")
    camera = load_arm("panda").camera
    parts = [_episode(rng, frames, task.max_tool_speed, image_size, camera) for _ in range(episodes)]
    images, proprio, command, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    count = episodes * frames
    distance = np.linalg.norm(labels[:, :3] - labels[:, 3:], axis=1)
    return Dataset(
        stamps=np.arange(count) * PERIOD,
        images=images,
        proprio=proprio,
        command_tool=command,
        labels=labels,
        label_mask=np.ones(labels.shape, dtype=bool),
        reward=-distance.astype(np.float32),
        reward_mask=np.ones(count, dtype=bool),
        continuation=(distance > 0.05).astype(np.float32),
        continuation_mask=np.ones(count, dtype=bool),
        offsets=np.arange(episodes + 1) * frames,
        sources=tuple(f"episode{i}" for i in range(episodes)),
        episode_sha256=tuple(f"{i:064x}" for i in range(episodes)),
        skipped=(),
        data_sha256=f"{seed:064x}",
        settings=sample_settings(task, camera, image_size),
    )


def _episode(rng, frames, speed, image_size, camera):
    low, high = np.array([0.3, -0.3, 0.08]), np.array([0.7, 0.3, 0.5])
    command, tool, goal = (rng.uniform(low, high) for _ in range(3))
    ball = np.array([rng.uniform(0.35, 0.65), rng.uniform(-0.28, 0.28), 0.03])
    commands, tools = [], []
    for _ in range(frames):
        if rng.random() < 0.1:
            goal = rng.uniform(low, high)
        step = goal - command
        command = command + step * min(1.0, speed * PERIOD / (np.linalg.norm(step) + 1e-9))
        tool = tool + (command - tool) * (1 - np.exp(-PERIOD / LAG))
        commands.append(command)
        tools.append(tool)
    position = np.array(tools)
    joints = position @ MIXING.T
    speeds = np.gradient(joints, PERIOD, axis=0)
    images = np.stack([_picture(rng, at, ball, image_size, camera) for at in position])
    proprio = np.concatenate([joints, speeds, position], axis=1).astype(np.float32)
    labels = np.concatenate([position, np.tile(ball, (frames, 1))], axis=1).astype(np.float32)
    return images, proprio, np.array(commands), labels


def _picture(rng, tool, ball, image_size, camera):
    """A red ball and a white tool as discs on grey."""
    width, height = image_size
    image = np.full((height, width, 3), 90, dtype=np.int16)
    rows, columns = np.mgrid[:height, :width]
    centres = project(camera, np.stack([ball, tool])) * width / camera.width
    for (x, y), colour in zip(centres, ((200, 40, 40), (240, 240, 240)), strict=True):
        image[(columns - x) ** 2 + (rows - y) ** 2 < (0.035 * width) ** 2] = colour
    return np.clip(image + rng.integers(-8, 9, image.shape), 0, 255).astype(np.uint8)
