"""The page of a lens' calibration."""

from __future__ import annotations

from collections.abc import Sequence

from loopwm_ros.calibration import lens_plots
from loopwm_ros.calibration.coverage import Coverage
from loopwm_ros.calibration.intrinsics import Intrinsics
from loopwm_ros.calibration.lens_fit import NAMES
from loopwm_ros.calibration.report import Page, Table, Tile, dropped_table, shown_pictures, usual_facts
from loopwm_ros.calibration.session import Session
from loopwm_ros.calibration.verdict import Verdict
from loopwm_ros.calibration.views import View
from loopwm_ros.validation.page import plot


def lens_page(
    session: Session,
    name: str,
    views: Sequence[View],
    result: Intrinsics,
    coverage: Coverage,
    verdict: Verdict,
) -> Page:
    """Of the camera `name`."""
    camera = result.camera
    size = (camera.width, camera.height)
    pictures, more = shown_pictures(session, result.residuals, result.dropped)
    used = [view.detection for view in views if view.name in result.residuals]
    return Page(
        title=f"lens of {name}",
        lead=f"Camera {name}, {size[0]} x {size[1]} pixels, lens {camera.lens}, from {len(used)} pictures.",
        verdict=verdict,
        tiles=[
            Tile(
                "Reprojection RMS", f"{result.rms:.3f} px", "of a corner's distance to where it is expected"
            ),
            Tile(
                "Focal length",
                f"{camera.fx:.2f} px",
                f"1-sigma {result.std['fx']:.2f} px; fy {camera.fy:.2f} px",
            ),
            Tile("Pictures used", f"{len(used)} of {len(views)}", f"{sum(len(u.ids) for u in used)} corners"),
        ],
        plots=[
            plot("Coverage", "Where in the picture corners were seen.", lens_plots.coverage_plot(used, size)),
            plot(
                "Residuals",
                "Corners seen less expected. A round cloud is noise; a pattern: wrong lens or bent board.",
                lens_plots.residual_plot(result.residuals, result.rms),
            ),
            plot(
                "Each picture",
                "One that stands out moved, is blurred, or shows the board bent.",
                lens_plots.view_plot(result.residuals, result.dropped, "corner"),
            ),
            plot(
                "Distortion",
                "From where a pinhole would show a point to where the lens does; cross: optical centre.",
                lens_plots.distortion_plot(camera),
            ),
        ],
        tables=[_values(result), *dropped_table(result.dropped)],
        pictures=pictures,
        more_pictures=more,
        facts=[("coverage", coverage.hint()), *usual_facts(session)],
    )


def _values(result: Intrinsics) -> Table:
    camera, std = result.camera, result.std
    named = {"fx": camera.fx, "fy": camera.fy, "cx": camera.cx, "cy": camera.cy}
    named |= dict(zip(NAMES[camera.lens], camera.distortion, strict=True))
    rows = [
        (name, f"{value:.6g}", f"{std[name]:.2g}" if name in std else "–") for name, value in named.items()
    ]
    return Table("Values", ("", "value", "1-sigma"), rows)
