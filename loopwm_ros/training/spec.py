"""The model's contract with the robot, made from settings and training data."""

from __future__ import annotations

import numpy as np

from loopwm_ros.config import ArmConfig, TaskConfig, WorldConfig
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training.settings import TrainSettings
from loopwm_ros.training.windows import Indices
from loopwm_ros.types import F64

PROPRIO_FLOOR = (0.05, 0.05, 0.02)  # least std of joint positions [rad], velocities [rad/s], tool [m]
QUANTITY_FLOOR = 0.02  # [m]


def model_spec(
    settings: TrainSettings,
    arm: ArmConfig,
    task: TaskConfig,
    world: WorldConfig,
    data: Dataset,
    train: Indices,
) -> ModelSpec:
    """Sizes, normalisation from the training frames `train`, and limits."""
    mean, std = proprio_statistics(data.proprio[train].astype(np.float64), len(arm.joints))
    return ModelSpec(
        image_width=settings.image.width,
        image_height=settings.image.height,
        image_mean=settings.image.mean,
        image_std=settings.image.std,
        joints=arm.joints,
        proprio_mean=tuple(mean.tolist()),
        proprio_std=tuple(std.tolist()),
        tool_frame=arm.tool_frame,
        rod=arm.rod,
        action_dim=task.action_dim,
        quantities=task.quantities,
        unpredicted=settings.rollout.unpredicted,
        max_tool_speed=task.max_tool_speed,
        control_period=1 / world.control_rate,
        stride=settings.stride,
        chunk=settings.chunk,
        tokens=settings.core.tokens,
        width=settings.core.width,
        max_loops=settings.core.max_loops,
        mean_loops=settings.core.mean_loops,
        iterate=settings.core.iterate,
        gate_threshold=settings.rollout.gate_threshold,
        second_difference_threshold=settings.rollout.second_difference_threshold,
    )


def proprio_statistics(proprio: F64, joints: int) -> tuple[F64, F64]:
    """Mean and standard deviation (2n + 3,); a floor keeps the noise of a still joint small."""
    floor = np.repeat(PROPRIO_FLOOR, [joints, joints, 3])
    return proprio.mean(0), np.maximum(proprio.std(0), floor)


def quantity_statistics(data: Dataset, train: Indices) -> tuple[F64, F64]:
    """Mean and standard deviation [m] of the labels that are there, (quantities,).

    Raises:
        ConfigError: a quantity has no label at all.
    """
    known = np.asarray(data.label_mask[train])
    quantities = data.settings.quantities
    if missing := [name for column, name in enumerate(quantities) if not known[:, column].any()]:
        raise ConfigError(f"no recording has labels for {', '.join(missing)}; collect episodes with labels")
    labels = np.ma.masked_array(data.labels[train].astype(np.float64), ~known)
    return np.asarray(labels.mean(0)), np.maximum(np.asarray(labels.std(0)), QUANTITY_FLOOR)
