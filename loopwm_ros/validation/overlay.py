"""What is drawn over a camera frame, in pixels: the path the tool took, and the one the model imagined."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from loopwm_ros.config import CameraConfig
from loopwm_ros.processing.camera import project
from loopwm_ros.types import F64
from loopwm_ros.validation.trace import Trace


@dataclass(frozen=True)
class Overlay:
    """Polylines and a point in camera pixels, (m, 2); what lies behind the camera is left out."""

    past: F64  # tool until now
    coming: F64  # tool from now to the end of the imagined horizon, as it then happened
    imagined: F64  # tool, one point a step
    goal: F64  # where it is taken to be, (1, 2), or (0, 2) without one
    moved: F64 = field(
        default_factory=lambda: np.empty((0, 2))
    )  # imagined, of what is moved, one point a step


def overlay_at(trace: Trace, camera: CameraConfig, stamp: float) -> Overlay:
    """What was known and imagined at a time."""
    plan = trace.plan_at(stamp)
    end = stamp if plan is None or not len(plan.offsets) else plan.stamp + float(plan.offsets[-1])
    return Overlay(
        past=_pixels(camera, _tool_between(trace, -np.inf, stamp)),
        coming=_pixels(camera, _tool_between(trace, stamp, end)),
        imagined=_pixels(camera, np.empty((0, 3)) if plan is None else plan.path),
        goal=_pixels(camera, np.empty((0, 3)) if plan is None or plan.goal is None else plan.goal),
        moved=_pixels(camera, np.empty((0, 3)) if plan is None or plan.moved is None else plan.moved),
    )


def _tool_between(trace: Trace, first: float, last: float) -> F64:
    """Tool positions (m, 3) in a span of time, its ends interpolated so that adjacent spans meet."""
    inside = (trace.tool.stamps > first) & (trace.tool.stamps < last)
    ends = [trace.tool.at(stamp) for stamp in (first, last)]
    rows = np.vstack([ends[0], trace.tool.values[inside], ends[1]])
    return np.asarray(rows[np.isfinite(rows).all(axis=1)], dtype=np.float64)


def _pixels(camera: CameraConfig, points: F64) -> F64:
    pixels = project(camera, points)
    return np.asarray(pixels[np.isfinite(pixels).all(axis=1)], dtype=np.float64)
