"""The pages of hand-eye and time calibration."""

from __future__ import annotations

import numpy as np

from loopwm_ros.calibration import arm_plots, lens_plots
from loopwm_ros.calibration.hand_eye import HandEyeResult
from loopwm_ros.calibration.report import Page, Table, Tile, dropped_table, shown_pictures, usual_facts
from loopwm_ros.calibration.session import Session
from loopwm_ros.calibration.time_offset import TimeOffset
from loopwm_ros.calibration.verdict import Verdict
from loopwm_ros.config.calibration import HandEye, Transform
from loopwm_ros.processing.poses import apart, matrix
from loopwm_ros.types import F64
from loopwm_ros.validation.page import plot

SETUPS = {"eye_to_hand": "fixed beside the arm", "eye_in_hand": "on the hand"}


def hand_eye_page(session: Session, found: HandEyeResult, tools: F64, verdict: Verdict) -> Page:
    """`tools`: where the tool was in each sample, base frame, (m, 3) [m]."""
    result = found.result
    pictures, more = shown_pictures(session, found.residuals, found.dropped)
    place = ", ".join(f"{value:.4f}" for value in result.camera.translation)
    return Page(
        title=f"hand-eye of {result.arm}",
        lead=(
            f"Camera {SETUPS[result.setup]}: {result.child} in {result.parent} of {result.arm}, "
            f"from {len(found.residuals)} poses."
        ),
        verdict=verdict,
        tiles=[
            Tile("Reprojection RMS", f"{found.rms:.3f} px", "of a corner's distance to where it is expected"),
            Tile(
                "Place, 1-sigma",
                f"{1e3 * max(result.translation_std):.2f} mm",
                f"at {place} m in {result.parent}",
            ),
            Tile(
                "Direction, 1-sigma", f"{np.rad2deg(max(result.rotation_std)):.3f}°", "about the worst axis"
            ),
        ],
        plots=_hand_eye_plots(found, tools),
        tables=[_transforms(found), *_offsets(found), *dropped_table(found.dropped)],
        pictures=pictures,
        more_pictures=more,
        facts=[
            ("turn about the second axis, RMS", f"{np.rad2deg(found.spread):.1f}°"),
            ("joint errors that differ from pose to pose, 1-sigma", f"{np.rad2deg(found.joint_noise):.4f}°"),
            *usual_facts(session),
        ],
    )


def _hand_eye_plots(found: HandEyeResult, tools: F64) -> list[dict[str, str]]:
    result = found.result
    fixed = matrix(result.camera) if result.setup == "eye_to_hand" else None
    made = [
        plot(
            "Consistency",
            "Where OpenCV's methods put the camera, against the refined result; they weigh errors otherwise.",
            arm_plots.consistency_plot(result, found.methods),
        ),
        plot(
            "Residuals",
            "Corners seen less expected, over all poses. A pattern is a wrong lens, board or arm.",
            lens_plots.residual_plot(found.residuals, found.rms),
        ),
        plot(
            "Each pose",
            "One that stands out: the arm had not stopped, or the board moved.",
            lens_plots.view_plot(found.residuals, found.dropped, "corner"),
        ),
        plot(
            "Uncertainty", "1-sigma of place and direction in the parent frame.", arm_plots.sigma_plot(result)
        ),
        plot(
            "Poses",
            "Where the tool was; the square is the arm's base, the orange mark a camera beside the arm.",
            arm_plots.poses_plot(tools, fixed),
        ),
    ]
    if result.joint_offsets:
        svg = arm_plots.offset_plot(result.joint_offsets, found.offset_std)
        made.append(plot("Joint offsets", "What the joints' zero positions are off by.", svg))
    return made


def _transforms(found: HandEyeResult) -> Table:
    refined = found.result.camera
    rows = [_row("refined", refined, refined)]
    rows += [
        (name, *("–",) * 4) if pose is None else _row(name, pose, refined)
        for name, pose in found.methods.items()
    ]
    rows.append(_row(f"board in {found.result.board_parent}", found.result.board, None))
    columns = ("", "translation [m]", "rotation x y z w", "apart [mm]", "apart [degrees]")
    return Table(f"{found.result.child} in {found.result.parent}", columns, rows)


def _row(name: str, pose: Transform, refined: Transform | None) -> tuple[str, ...]:
    turn, shift = (np.zeros(3), np.zeros(3)) if refined is None else apart(matrix(refined), matrix(pose))
    known = refined is not None
    return (
        name,
        " ".join(f"{value:.5f}" for value in pose.translation),
        " ".join(f"{value:.5f}" for value in pose.rotation),
        f"{1e3 * np.linalg.norm(shift):.2f}" if known else "–",
        f"{np.rad2deg(np.linalg.norm(turn)):.3f}" if known else "–",
    )


def _offsets(found: HandEyeResult) -> list[Table]:
    offsets = found.result.joint_offsets
    rows = [
        (name, f"{np.rad2deg(value):.3f}", f"{np.rad2deg(found.offset_std.get(name, 0.0)):.3f}", "")
        for name, value in offsets.items()
    ]
    rows += [(name, "0", "–", f"not estimated: {why}") for name, why in found.held.items()]
    columns = ("joint", "to add [degrees]", "1-sigma [degrees]", "")
    return [Table("Joint offsets", columns, rows, words=True)] if rows else []


def time_page(
    session: Session, hand_eye: HandEye, found: TimeOffset, scan: tuple[F64, F64], verdict: Verdict
) -> Page:
    """`scan`: offsets (m,) [s], and the RMS [px] that each would leave."""
    return Page(
        title=f"time offset of {hand_eye.child}",
        lead=(
            f"What is added to the camera's stamps to be on the clock of {hand_eye.arm}'s joints, "
            f"from {found.frames} pictures in motion."
        ),
        verdict=verdict,
        tiles=[
            Tile("Time offset", f"{1e3 * found.offset:.2f} ms", "added to the camera's stamps"),
            Tile("1-sigma", f"{1e3 * found.std:.2f} ms"),
            Tile("Reprojection RMS", f"{found.rms:.2f} px", "in motion"),
        ],
        plots=[
            plot(
                "Reprojection against the offset",
                "How well pictures and joints agree at each offset; a deep, narrow valley is sure.",
                arm_plots.time_plot(*scan, found.offset),
            )
        ],
        tables=[],
        pictures=[],
        more_pictures=0,
        facts=usual_facts(session),
    )
