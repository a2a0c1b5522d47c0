"""Parameters of the safety node."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from loopwm_ros.control.safety_gate import GateSettings
from loopwm_ros.errors import ConfigError
from loopwm_ros.nodes.scheduling import Priority


class SafetyParameters(GateSettings):
    """All of it is fixed when the node starts."""

    arm: str = Field(
        "", description="arm, by name or path of a YAML file; to be named, for the limits are its"
    )
    servo_rate: float = Field(80.0, ge=10.0, le=1000.0, description="commands to the controller [Hz]")
    realtime_priority: Priority = 0
    auto_arm: bool = Field(
        False, description="arm by itself, once, when joint states arrive; in simulation only"
    )
    shadow: bool = Field(False, description="begin in shadow: plans are checked, nothing is sent")
    need_calibration: bool = Field(
        False, description="refuse to arm unless the calibration node sees the camera where it was calibrated"
    )
    need_validation: bool = Field(False, description="refuse to arm without a validation that was passed")
    validation: str = Field("", description="validation.json or its folder, of loopwm validate; empty: none")
    suite: str = Field("", description="suite that it must be of, by name or path of a YAML file; empty: any")
    public_key: str = Field(
        "", description="PEM file of the key that must have signed it; empty: any or none"
    )

    def check(self) -> None:
        """Refuse settings that do not go together.

        Raises:
            ConfigError: saying which.
        """
        if not self.arm:
            raise ConfigError("which arm is this? Set the parameter arm: --ros-args -p arm:=NAME")
        if self.auto_arm and (self.shadow or self.need_validation or self.need_calibration):
            raise ConfigError(
                "auto_arm is for simulation; with shadow, need_validation or need_calibration the arm is "
                "armed by hand: "
                "ros2 service call /safety/arm std_srvs/srv/SetBool '{data: true}'"
            )

    @property
    def certificate(self) -> Path | None:
        """Where the validation is."""
        return Path(self.validation) if self.validation else None

    @property
    def key(self) -> Path | None:
        """Where the key is that it must be signed with."""
        return Path(self.public_key) if self.public_key else None
