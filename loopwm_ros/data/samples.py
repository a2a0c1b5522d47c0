"""One episode as arrays over its frames: what the model sees, was told, and should know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopwm_ros.config import CameraConfig, Settings, TaskConfig
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.data.reader import Episode
from loopwm_ros.data.series import Series
from loopwm_ros.errors import BagError, ConfigError
from loopwm_ros.processing.images import shrink_image
from loopwm_ros.processing.states import proprio_vector
from loopwm_ros.types import F32, F64, U8, JointState

GAP = 0.1  # longest distance of a frame to the joint states and labels around it [s]
AXES = ("x", "y", "z")
TOOL = "tool"  # the label that forward kinematics gives


class SampleSettings(Settings):
    """What to take from a recording."""

    camera_width: int  # expected [px]
    camera_height: int
    image_width: int  # kept [px]
    image_height: int
    quantities: tuple[str, ...]  # LABEL_AXIS, e.g. ball_x; tool_* comes from the measured joints


def sample_settings(task: TaskConfig, camera: CameraConfig, image_size: tuple[int, int]) -> SampleSettings:
    """What `task` needs, with images of `image_size` (width, height) [px].

    Raises:
        ConfigError: a quantity of the task is no coordinate of a point.
    """
    if wrong := [q for q in task.quantities if q.rpartition("_")[2] not in AXES or "_" not in q]:
        raise ConfigError(
            f"task '{task.name}': quantities {', '.join(wrong)} are no coordinates; "
            "expected NAME_x, NAME_y or NAME_z"
        )
    return SampleSettings(
        camera_width=camera.width,
        camera_height=camera.height,
        image_width=image_size[0],
        image_height=image_size[1],
        quantities=task.quantities,
    )


@dataclass(frozen=True)
class Samples:
    """Arrays over frames (m,). Where a mask is False, the value means nothing."""

    stamps: F64  # (m,) [s]
    images: U8  # (m, height, width, 3)
    proprio: F32  # joint positions, velocities, tool position; not normalised, (m, 2n + 3)
    command_tool: F64  # tool position of the command in force [m], (m, 3)
    labels: F32  # task quantities [m], (m, q)
    label_mask: NDArray[np.bool_]  # (m, q)
    reward: F32  # (m,)
    reward_mask: NDArray[np.bool_]  # (m,)
    continuation: F32  # 1 until the task is done, then 0, (m,)
    continuation_mask: NDArray[np.bool_]  # (m,)


def sample_episode(episode: Episode, kinematics: Kinematics, settings: SampleSettings) -> Samples:
    """Arrays over the frames that have joint states around them.

    Raises:
        BagError: no such frame, a damaged image, or another camera size than expected.
    """
    kept = episode.joint_position.covers(episode.frame_stamps, GAP)
    if not kept.any():
        raise BagError(
            f"{episode.path}: none of {len(kept)} frames has joint states within {GAP} s of its stamp"
        )
    at = episode.frame_stamps[kept]
    position, velocity = episode.joint_position.at(at), episode.joint_velocity.at(at)
    tool = _tool_positions(kinematics, position)
    labels, label_mask = _labels(episode, settings.quantities, at, tool)
    reward, reward_mask = _scalar(episode.reward, at)
    return Samples(
        at,
        _images(episode, np.flatnonzero(kept), settings),
        _proprio(at, position, velocity, tool),
        _command_tool(episode.command, kinematics, at, tool),
        labels,
        label_mask,
        reward,
        reward_mask,
        *_continuation(episode.done, at),
    )


def _tool_positions(kinematics: Kinematics, positions: F64) -> F64:
    """Tool positions (m, 3) of joints (m, n)."""
    return np.stack([kinematics.tool_position(position) for position in positions])


def _images(episode: Episode, frames: NDArray[np.int64], settings: SampleSettings) -> U8:
    images = np.empty((len(frames), settings.image_height, settings.image_width, 3), dtype=np.uint8)
    expected = (settings.camera_height, settings.camera_width)
    for row, frame in enumerate(frames):
        rgb = episode.image(int(frame))
        if rgb.shape[:2] != expected:
            raise BagError(
                f"{episode.path}: frame {frame} is {rgb.shape[1]}x{rgb.shape[0]}; the arm's camera is "
                f"{settings.camera_width}x{settings.camera_height}"
            )
        images[row] = shrink_image(rgb, settings.image_width, settings.image_height)
    return images


def _proprio(stamps: F64, position: F64, velocity: F64, tool: F64) -> F32:
    rows = zip(stamps, position, velocity, tool, strict=True)
    vectors = [proprio_vector(JointState(float(stamp), q, qd), xyz) for stamp, q, qd, xyz in rows]
    return np.asarray(vectors, dtype=np.float32)


def _command_tool(command: Series, kinematics: Kinematics, at: F64, tool: F64) -> F64:
    """Commanded tool position (m, 3); before the first command, the measured one."""
    commanded = Series(command.stamps, _tool_positions(kinematics, command.values)).at(at)
    return np.where((at < command.stamps[0])[:, None], tool, commanded)


def _labels(
    episode: Episode, quantities: tuple[str, ...], at: F64, tool: F64
) -> tuple[F32, NDArray[np.bool_]]:
    """Quantities and their mask, (m, q) each."""
    values = np.zeros((len(at), len(quantities)), dtype=np.float32)
    mask = np.zeros(values.shape, dtype=bool)
    for column, quantity in enumerate(quantities):
        name, _, axis = quantity.rpartition("_")
        index = AXES.index(axis)
        if name == TOOL:
            values[:, column], mask[:, column] = tool[:, index], True
        elif len(series := episode.labels.get(name, Series.ordered([], [], 3))):
            values[:, column], mask[:, column] = series.at(at)[:, index], series.covers(at, GAP)
    return values, mask


def _scalar(series: Series, at: F64) -> tuple[F32, NDArray[np.bool_]]:
    if not len(series):
        return np.zeros(len(at), dtype=np.float32), np.zeros(len(at), dtype=bool)
    return series.at(at)[:, 0].astype(np.float32), series.covers(at, GAP)


def _continuation(done: Series, at: F64) -> tuple[F32, NDArray[np.bool_]]:
    if not len(done):
        return np.ones(len(at), dtype=np.float32), np.zeros(len(at), dtype=bool)
    return (1.0 - done.latest(at)[:, 0]).astype(np.float32), done.covers(at, GAP)
