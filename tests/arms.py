"""An arm that does exactly as it is told: a `Backend` without physics, for tests."""

from __future__ import annotations

import numpy as np

from loopwm_ros.types import F64, CameraFrame, JointState

SERVO = 1.0 / 80.0  # [s]
FRAME_EVERY = 4  # servo periods


class ExactArm:
    """Joints are at the last reference; a grey frame every `FRAME_EVERY` periods. Implements `Backend`."""

    def __init__(self, start: F64, size: tuple[int, int] = (8, 6)) -> None:
        """`size` of the camera is (width, height)."""
        self._start, self._size = start, size
        self.seeds: list[int] = []
        self.commands: list[F64 | None] = []
        self.reset(0)

    @property
    def now(self) -> float:
        return self._tick * SERVO

    def reset(self, seed: int) -> None:
        self.seeds.append(seed)
        self._tick = 0
        self.position, self._velocity = self._start.copy(), np.zeros_like(self._start)
        self._frame: CameraFrame | None = self._image()

    def step(self, command: F64 | None) -> None:
        self.commands.append(command)
        before = self.position
        self.position = before if command is None else np.array(command)
        self._velocity = (self.position - before) / SERVO
        self._tick += 1
        if self._tick % FRAME_EVERY == 0:
            self._frame = self._image()

    def joint_state(self) -> JointState:
        return JointState(self.now, self.position.copy(), self._velocity.copy())

    def new_frame(self) -> CameraFrame | None:
        frame, self._frame = self._frame, None
        return frame

    def _image(self) -> CameraFrame:
        return CameraFrame(self.now, np.full((self._size[1], self._size[0], 3), 128, dtype=np.uint8))
