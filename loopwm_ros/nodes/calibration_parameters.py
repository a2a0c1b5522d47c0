"""Parameters of the calibration node."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from loopwm_ros.calibration.drift_limits import DriftLimits
from loopwm_ros.errors import ConfigError


class CalibrationParameters(DriftLimits):
    """All of it is fixed when the node starts."""

    arm: str = Field(
        "", description="arm, by name or path of a YAML file; to be named, for the joints are its"
    )
    camera_info: str = Field(
        "",
        description="camera_info YAML of the camera, of its driver; empty: lens and size as in the arm file",
    )
    hand_eye: str = Field("", description="hand_eye.yaml of the camera, or its folder; a board needs it")
    board: str = Field(
        "", description="YAML of the board that the calibration was made with; empty: no board is looked for"
    )
    reference: str = Field(
        "",
        description="PNG of the scene as calibrated, which ~/take_reference writes; empty: none is compared",
    )
    look_period: float = Field(2.0, ge=0.1, le=3600.0, description="between two looks [s]")
    still: float = Field(
        0.2, ge=0.0, le=10.0, description="speed of a joint above which nothing is looked at [rad/s]"
    )
    memory: float = Field(
        300.0, ge=1.0, le=86400.0, description="without a look until the camera is not known to be well [s]"
    )
    image_transport: Literal["compressed", "raw"] = Field("compressed", description="camera topic to use")

    def check(self) -> None:
        """Refuse settings that do not go together.

        Raises:
            ConfigError: saying which.
        """
        if not self.arm:
            raise ConfigError("which arm is this? Set the parameter arm: --ros-args -p arm:=NAME")
        if self.board and not self.hand_eye:
            raise ConfigError("where is the board to be seen? Set the parameter hand_eye, too")
        if not (self.board or self.reference):
            raise ConfigError(
                "there is nothing to look at: set board and hand_eye, or reference, where ~/take_reference "
                "writes a picture of the scene"
            )
