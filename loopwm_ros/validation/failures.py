"""Small film strips of failed episodes, to keep beside a run's summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loopwm_ros.config import CameraConfig
from loopwm_ros.validation.film import encoded, film_strip
from loopwm_ros.validation.trace import Trace

MOMENTS = 6  # frames of a strip, in one row
SIZE = 0.4  # of what the camera saw, enlarged twice to draw on
QUALITY = 40  # of WebP: some 5 kB a strip


def strip_path(folder: Path, run: str, seed: int) -> Path:
    """Where the strip of one episode of a run lies."""
    return folder / f"{run}-{seed}.webp"


def write_strips(folder: Path, run: str, traces: Sequence[Trace], camera: CameraConfig) -> int:
    """Write a strip of each failed episode, in place of those of an earlier run of this name.

    Returns:
        How many.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{run}-*.webp"):
        if old.stem.removeprefix(f"{run}-").isdecimal():
            old.unlink()
    failed = [trace for trace in traces if not trace.result.success]
    for trace in failed:
        strip_path(folder, run, trace.result.seed).write_bytes(small_strip(trace, camera))
    return len(failed)


def film_path(folder: Path, run: str, seed: int) -> Path:
    """Where the film of one episode of a run lies."""
    return folder / f"{run}-{seed}.film.webp"


def small_strip(trace: Trace, camera: CameraConfig, size: float = SIZE, quality: int = QUALITY) -> bytes:
    """A small film strip of an episode as WebP; `size` and `quality` say how small."""
    strip = film_strip(trace, camera, count=MOMENTS, columns=MOMENTS, scale=2, text=11)
    small = strip.resize((round(strip.width * size), round(strip.height * size)))
    return encoded(small, "WEBP", quality)
