"""Parameters of the monitor node."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from loopwm_ros.config import ArmConfig
from loopwm_ros.control.gap_series import Limit, MonitorSettings
from loopwm_ros.errors import MismatchError
from loopwm_ros.validation.certificate import arm_sha256, load_certificate


class MonitorParameters(MonitorSettings):
    """What is watched, and how patiently."""

    arm: str = Field(
        "", description="arm, by name or path of a YAML file; to be named, for the joints are its"
    )
    validation: str = Field(
        "", description="validation.json, or its folder, with the limits of gaps; empty: only report"
    )

    def monitor(self) -> MonitorSettings:
        """The part that the monitor itself needs."""
        return MonitorSettings(**self.model_dump(include=set(MonitorSettings.model_fields)))

    def limits(self, arm: ArmConfig) -> list[Limit]:
        """Limits of gaps; none without a validation.

        Raises:
            CertificateError: it cannot be read.
            MismatchError: it is of another arm.
        """
        if not self.validation:
            return []
        certificate = load_certificate(Path(self.validation))
        if certificate.arm_sha256 != arm_sha256(arm):
            raise MismatchError(
                f"validation {self.validation} is of arm '{certificate.arm}', which is not this arm "
                f"'{arm.name}' as its file and URDF are now; validate with this one"
            )
        return [Limit(gap.name, gap.unit, gap.step, gap.limit) for gap in certificate.gaps]
