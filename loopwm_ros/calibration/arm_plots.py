"""Plots of hand-eye and time calibration, as SVG in the style of our other pages."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from loopwm_ros.config.calibration import HandEye, Transform
from loopwm_ros.processing.poses import apart, matrix
from loopwm_ros.types import F64
from loopwm_ros.validation.drawing import ACTUAL, FAILED, IMAGINED, INK, MOVED, drawing, svg

AXES = (("x", ACTUAL), ("y", IMAGINED), ("z", MOVED))


def consistency_plot(result: HandEye, methods: Mapping[str, Transform | None]) -> str:
    """How far each of OpenCV's methods puts the camera from where the refined result does."""
    found = {name: pose for name, pose in methods.items() if pose is not None}
    refined = matrix(result.camera)
    with drawing(1.1) as (figure, axes):
        figure.subplots_adjust(left=0.24)
        names = list(found)[::-1]
        for row, name in enumerate(names):
            _, shift = apart(refined, matrix(found[name]))
            for offset, (value, (_, colour)) in enumerate(zip(1e3 * shift, AXES, strict=True)):
                axes.plot(value, row + 0.22 * (1 - offset), "o", color=colour, ms=6)
        sigma = 2e3 * max(result.translation_std)
        axes.axvspan(-sigma, sigma, color=ACTUAL, alpha=0.15, lw=0, label="refined, 2-sigma")
        for name, colour in AXES:
            axes.plot([], [], "o", color=colour, label=f"along {name}")
        axes.axvline(0.0, color=INK, lw=1)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="from the refined result [mm]", ylim=(-0.6, len(names) + 0.5))
        axes.legend(loc="upper center", ncols=4, fontsize=9, handlelength=1, columnspacing=1)
        axes.grid(visible=False, axis="y")
        return svg(figure)


def sigma_plot(result: HandEye) -> str:
    """1-sigma of the camera's place and direction."""
    with drawing(0.8) as (figure, axes):
        other = axes.twinx()
        bars = [1e3 * np.array(result.translation_std), np.rad2deg(result.rotation_std)]
        axes.bar(range(3), bars[0], color=ACTUAL, width=0.6)
        other.bar(range(4, 7), bars[1], color=IMAGINED, width=0.6)
        other.spines["right"].set_visible(True)
        axes.set_xticks(
            [0, 1, 2, 4, 5, 6], [*(f"along {name}" for name in "xyz"), *(f"about {name}" for name in "xyz")]
        )
        axes.tick_params(axis="x", labelsize=9)
        axes.set(ylabel="place [mm]", ylim=(0, 1.2 * float(bars[0].max())))
        other.set(ylabel="direction [degrees]", ylim=(0, 1.2 * float(bars[1].max())))
        other.grid(visible=False)
        figure.subplots_adjust(right=0.86)
        return svg(figure)


def offset_plot(offsets: Mapping[str, float], std: Mapping[str, float]) -> str:
    """Joint offsets with 2-sigma."""
    names = list(offsets)[::-1]
    with drawing(max(0.8, 0.12 * len(names) + 0.3)) as (figure, axes):
        figure.subplots_adjust(left=0.28)
        values = np.rad2deg([offsets[name] for name in names])
        width = 2.0 * np.rad2deg([std.get(name, 0.0) for name in names])
        axes.errorbar(values, range(len(names)), xerr=width, fmt="o", color=ACTUAL, ms=6, capsize=4, lw=1.8)
        axes.axvline(0.0, color=INK, lw=1)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="to add [degrees], with 2-sigma", ylim=(-0.6, len(names) - 0.4))
        axes.grid(visible=False, axis="y")
        return svg(figure)


def poses_plot(tools: F64, camera: F64 | None) -> str:
    """Where the tool was, (m, 3) [m], from the side and from above; and a camera that is fixed, (4, 4)."""
    with drawing(1.1) as (figure, whole):
        whole.remove()
        for number, (across, up) in enumerate(((0, 1), (0, 2))):
            axes = figure.add_subplot(1, 2, number + 1)
            axes.plot(tools[:, across], tools[:, up], "o", color=ACTUAL, ms=5, alpha=0.8)
            axes.plot(0.0, 0.0, "s", color=INK, ms=8)
            if camera is not None:
                place, ahead = camera[:3, 3], camera[:3, 3] + 0.2 * camera[:3, 2]
                axes.plot(place[across], place[up], "o", color=FAILED, ms=7)
                axes.plot([place[across], ahead[across]], [place[up], ahead[up]], color=FAILED, lw=2)
            axes.set(
                xlabel="x [m]",
                ylabel=f"{'xyz'[up]} [m]",
                aspect="equal",
                title=("from above", "from the side")[number],
            )
            axes.title.set_fontsize(10)
            axes.set_adjustable("datalim")
        figure.subplots_adjust(left=0.15, right=0.97, wspace=0.5, top=0.9)
        return svg(figure)


def time_plot(offsets: F64, rms: F64, found: float) -> str:
    """Reprojection RMS (m,) [px] at time offsets (m,) [s]."""
    with drawing() as (figure, axes):
        axes.plot(1e3 * offsets, rms, color=ACTUAL, lw=2)
        axes.axvline(1e3 * found, color=IMAGINED, lw=1.8, label=f"estimate {1e3 * found:.2f} ms")
        axes.axvline(0.0, color=INK, lw=1, ls=":", label="no offset")
        axes.set(xlabel="added to the camera's stamps [ms]", ylabel="RMS of a corner [px]", ylim=(0, None))
        axes.legend(loc="upper right")
        return svg(figure)
