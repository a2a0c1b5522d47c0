"""What calibrations came to, as result files hold it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import BaseModel

from loopwm_ros.config.base import Settings


class LensRow(Settings):
    """One lens calibrated from rendered pictures."""

    camera: str
    lens: str
    board: str
    seed: int
    views: int  # taken, bad ones among them
    kept: int
    focal_errors_percent: tuple[float, float]  # of fx and fy
    centre_errors_px: tuple[float, float]
    sigmas: dict[str, float]  # errors over the 1-sigma that was reported
    rms_px: float
    map_error_px: float  # RMS of how far off a point is, where corners were seen
    refused: dict[str, str]  # reason, of each bad picture
    refused_good: int  # good ones that were refused, mostly for a board that is cut off
    dropped: dict[str, str]  # reason, of each view that contradicts the others
    dropped_good: int

    def line(self) -> str:
        """In short."""
        worst = max(map(abs, self.focal_errors_percent))
        bad = [k for k, v in {**self.refused, **self.dropped}.items() if v in ("TAKEN", "KEPT")]
        return (
            f"{self.camera} {self.board} {self.seed}: focal {worst:.3f} %, RMS {self.rms_px:.3f} px, map "
            f"{self.map_error_px:.3f} px, refused {self.refused_good} and dropped {self.dropped_good} good; "
            f"missed {bad or 'none'}"
        )


class LensTable(Settings):
    """All of them."""

    git_revision: str
    opencv: str
    focal_percent: float  # promised
    rms_px: float  # promised
    rows: tuple[LensRow, ...]

    def summary(self) -> str:
        """In short."""
        focal = [max(map(abs, row.focal_errors_percent)) for row in self.rows]
        sigmas = [value for row in self.rows for value in row.sigmas.values()]
        return (
            f"{len(self.rows)} calibrations: focal {np.median(focal):.3f} % (median), {max(focal):.3f} % "
            f"(worst); RMS {max(row.rms_px for row in self.rows):.3f} px worst; errors are "
            f"{np.sqrt(np.mean(np.square(sigmas))):.2f} reported sigmas"
        )


class PublicRow(Settings):
    """A public set calibrated by us, by OpenCV on the same corners, and as the set's own file has it."""

    by: str
    views: int
    focal_px: tuple[float, float]
    centre_px: tuple[float, float]
    focal_std_px: tuple[float, float] | None
    distortion: tuple[float, ...]
    rms_px: float
    dropped: dict[str, str]


class PublicTable(Settings):
    """All of them."""

    git_revision: str
    opencv: str
    images: str
    rows: tuple[PublicRow, ...]


def write(table: BaseModel, path: Path) -> None:
    """As JSON, with a newline at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(table.model_dump_json(indent=2) + "\n", encoding="utf-8")
