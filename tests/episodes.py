"""Small made-up episodes for the tests of the validation pictures."""

from __future__ import annotations

import numpy as np

from loopwm_ros.config import CameraConfig, load_arm
from loopwm_ros.processing.images import encode_image
from loopwm_ros.validation.summary import EpisodeResult, Measurements, RunFacts, Summary, summarise
from loopwm_ros.validation.trace import Trace, TraceRecorder

START = np.array([0.5, -0.2, 0.3])
VELOCITY = np.array([0.0, 0.2, -0.1])  # [m/s]
BALL = np.array([0.5, 0.0, 0.03])


def camera() -> CameraConfig:
    return load_arm("panda").camera


def facts(**changes: object) -> RunFacts:
    known = {
        "task": "reach",
        "arm": "panda",
        "controller": "mpc",
        "mode": "lockstep",
        "seed": 7,
        "success_distance_m": 0.025,
        "success_hold_s": 0.5,
        "time_limit_s": 10.0,
    }
    return RunFacts.model_validate({**known, **changes})


def result(index: int = 0, success: bool = True) -> EpisodeResult:
    return EpisodeResult(
        index=index,
        seed=100 + index,
        success=success,
        time_to_success_s=2.0 if success else None,
        final_distance_m=0.01 if success else 0.2,
        min_distance_m=0.01 if success else 0.1,
        cycles=10,
        plans=5,
    )


def trace(index: int = 0, success: bool = True, start: float = 5.0, frames: int = 21) -> Trace:
    """Two seconds of straight motion that the model imagined exactly, with a 160x120 frame each 0.1 s."""
    recorder = TraceRecorder(model_period=0.1)
    for tick in range(161):
        time = tick / 80
        recorder.tool(start + time, START + VELOCITY * time)
        recorder.distance(start + time, 0.4 - 0.19 * time)
    for i in range(frames):
        grey = np.full((120, 160, 3), 40 + i, dtype=np.uint8)
        recorder.frame(start + 0.1 * i, encode_image(grey))
        ahead = 0.1 * (i + np.arange(1, 6))[:, None]
        recorder.imagined(start + 0.1 * i, START + VELOCITY * ahead, BALL)
        recorder.cycle(start + 0.1 * i, 20.0 + i, 3.0)
    return recorder.finish(result(index, success))


def summary(episodes: list[EpisodeResult], **changes: object) -> Summary:
    measured = Measurements()
    measured.add_loops(np.array([0, 4, 6, 10]))
    for i in range(20):
        measured.add_cycle(20.0 + i)
    return summarise(facts(**changes), episodes, measured)
