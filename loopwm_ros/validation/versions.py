"""Installed versions that a result depends on."""

from __future__ import annotations

import platform
from importlib.metadata import distributions

VERSIONED = ("loopwm_ros", "mujoco", "numpy", "onnxruntime", "onnxruntime-gpu", "pybullet", "rclpy")


def versions() -> dict[str, str]:
    """By name."""
    found = {d.name: d.version for d in distributions() if d.name in VERSIONED}
    return {"python": platform.python_version(), **dict(sorted(found.items()))}
