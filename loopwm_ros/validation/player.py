"""An episode as data for the report's film player (templates/player.js)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np

from loopwm_ros.config import CameraConfig
from loopwm_ros.processing.camera import project
from loopwm_ros.types import F64
from loopwm_ros.validation.summary import Summary
from loopwm_ros.validation.trace import Frame, Series, Trace


def film_data(summary: Summary, trace: Trace, camera: CameraConfig) -> dict[str, Any]:
    """Frames with the overlay of each, in camera pixels; serialisable as JSON."""
    stamps = [frame.stamp for frame in trace.frames]
    track = [trace.tool.held(stamp) for stamp in stamps] if len(trace.tool.stamps) else []
    return {
        "width": camera.width,
        "height": camera.height,
        "goal": summary.success_distance_m * 100,
        "track": _points(camera, np.array(track)),
        "frames": [_frame(trace, camera, frame, stamps) for frame in trace.frames],
    }


def _frame(trace: Trace, camera: CameraConfig, frame: Frame, stamps: list[float]) -> dict[str, Any]:
    """One frame; `until` is the index of the last one within the imagined horizon."""
    plan = trace.plan_at(frame.stamp)
    end = frame.stamp if plan is None or not len(plan.offsets) else plan.stamp + plan.offsets[-1]
    return {
        "time": round(frame.stamp - trace.start, 3),
        "jpeg": base64.b64encode(frame.jpeg).decode(),
        "until": int(np.searchsorted(stamps, end, side="right")) - 1,
        "imagined": [] if plan is None else _points(camera, plan.path),
        "goal": [] if plan is None or plan.goal is None else _points(camera, plan.goal),
        "moved": [] if plan is None or plan.moved is None else _points(camera, plan.moved),
        "distance": _value(trace.distance, Series.held, frame.stamp, 100.0),
        "cycle": _value(trace.cycle_ms, Series.nearest, frame.stamp),
        "loops": _value(trace.loops, Series.nearest, frame.stamp),
    }


def _points(camera: CameraConfig, points: F64) -> list[list[float] | None]:
    """Pixels to a tenth; None for a point behind the camera."""
    return [
        [round(float(v), 1) for v in p] if np.isfinite(p).all() else None for p in project(camera, points)
    ]


def _value(
    series: Series, read: Callable[[Series, float], F64], stamp: float, scale: float = 1.0
) -> float | None:
    if not len(series.stamps):
        return None
    value = float(read(series, stamp)) * scale
    return round(value, 2) if np.isfinite(value) else None
