"""Validated settings: arm, world and task files (YAML), and where to find them."""

from loopwm_ros.config.arm import ArmConfig, CameraConfig, RodConfig, Topics
from loopwm_ros.config.base import Box, Positive, Range, Settings, SettingsT, Vec3, load_settings
from loopwm_ros.config.files import load_arm, load_task, load_world, share_dir, usual_arm
from loopwm_ros.config.task import CostTerm, ObjectConfig, PlaneConfig, Randomisation, TaskConfig
from loopwm_ros.config.world import WorldConfig

__all__ = [
    "ArmConfig", "Box", "CameraConfig", "CostTerm", "ObjectConfig", "PlaneConfig", "Positive",
    "Randomisation", "Range", "RodConfig", "Settings", "SettingsT", "TaskConfig", "Topics", "Vec3",
    "WorldConfig", "load_arm", "load_settings", "load_task", "load_world", "share_dir",
    "usual_arm",
]  # fmt: skip
