"""Plots of a lens' calibration, as SVG in the style of our other pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from loopwm_ros.calibration.board import Detection
from loopwm_ros.calibration.residuals import rms
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.processing.lens import rays
from loopwm_ros.types import F64
from loopwm_ros.validation.drawing import ACTUAL, FAILED, IMAGINED, INK, drawing, svg

MOST = 4000  # points of a scatter; of more, every so-many-th is drawn
NAMED = 40  # bars that have room for a name


def coverage_plot(detections: Sequence[Detection], size: tuple[int, int]) -> str:
    """Where in the picture corners were seen."""
    pixels = thinned(np.concatenate([seen.pixels for seen in detections]))
    with drawing(size[1] / size[0] * 1.6) as (figure, axes):
        axes.plot(*pixels.T, "o", color=ACTUAL, ms=2.5, alpha=0.5, mew=0)
        _picture(axes, size)
        return svg(figure)


def residual_plot(residuals: Mapping[str, F64], rms: float) -> str:
    """Corners seen less expected; the circle holds what the RMS says."""
    every = thinned(np.concatenate(list(residuals.values())))
    far = max(3.0 * rms, float(np.percentile(np.abs(every), 99.5)) * 1.1, 1e-6)
    turn = np.linspace(0.0, 2.0 * np.pi, 100)
    with drawing(1.35) as (figure, axes):
        axes.plot(*every.T, "o", color=ACTUAL, ms=2.5, alpha=0.5, mew=0)
        axes.plot(rms * np.cos(turn), rms * np.sin(turn), color=IMAGINED, lw=1.8, label=f"RMS {rms:.3g} px")
        axes.set(xlabel="right [px]", ylabel="down [px]", xlim=(-far, far), ylim=(far, -far), aspect="equal")
        axes.legend(loc="upper right")
        return svg(figure)


def view_plot(residuals: Mapping[str, F64], dropped: Mapping[str, str], what: str) -> str:
    """RMS of each picture used, and which were left out."""
    names = sorted([*residuals, *dropped])
    values = [rms(residuals[name]) if name in residuals else 0.0 for name in names]
    with drawing() as (figure, axes):
        axes.bar(range(len(names)), values, color=ACTUAL, width=0.75)
        out = [index for index, name in enumerate(names) if name in dropped]
        if out:
            axes.plot(out, np.zeros(len(out)), "X", color=FAILED, ms=7, clip_on=False, label="left out")
            axes.legend(loc="upper right")
        step = max(1, len(names) // NAMED + 1)
        size = 8 if len(names) > 12 else 10
        axes.set_xticks(range(0, len(names), step), names[::step], rotation=90, fontsize=size)
        axes.set(ylabel=f"RMS of a {what} [px]", ylim=(0, max([*values, 1e-6]) * 1.2))
        axes.grid(visible=False, axis="x")
        figure.subplots_adjust(bottom=0.22)
        return svg(figure)


def distortion_plot(camera: CameraModel) -> str:
    """Where the lens puts what a pinhole would show elsewhere: arrows from there to here."""
    size = (camera.width, camera.height)
    columns, rows = (np.linspace(0.0, side - 1.0, count) for side, count in zip(size, (13, 9), strict=True))
    pixels = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    straight = pinhole(camera, pixels)
    moved = pixels - straight
    with drawing(size[1] / size[0] * 1.6) as (figure, axes):
        usable = np.isfinite(moved).all(axis=1)
        axes.quiver(
            *straight[usable].T, *moved[usable].T, color=ACTUAL, angles="xy", scale_units="xy", scale=1.0,
            width=0.004, headwidth=4,
        )  # fmt: skip
        axes.plot(camera.cx, camera.cy, "+", color=IMAGINED, ms=14, mew=2)
        _picture(axes, size)
        largest = float(np.linalg.norm(moved[usable], axis=1).max(initial=0.0))
        words = f"at most {largest:.3g} px, to scale"
        axes.text(0.5, 0.97, words, transform=axes.transAxes, ha="center", va="top", fontsize=10, color=INK)
        return svg(figure)


def pinhole(camera: CameraModel, pixels: F64) -> F64:
    """Where a pinhole of the same focal length would show what is seen at pixels (m, 2)."""
    seen = rays(camera, pixels)[:, :2]
    return np.asarray(seen * (camera.fx, camera.fy) + (camera.cx, camera.cy))


def thinned(points: F64) -> F64:
    """At most MOST of the points (m, 2)."""
    return points[:: len(points) // MOST + 1]


def _picture(axes: Axes, size: tuple[int, int]) -> None:
    axes.set(xlabel="[px]", xlim=(-0.5, size[0] - 0.5), ylim=(size[1] - 0.5, -0.5), aspect="equal")
    for side in ("top", "right"):
        axes.spines[side].set_visible(True)
