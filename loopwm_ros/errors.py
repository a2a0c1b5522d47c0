"""Everything this package raises on purpose.

Each message names what was wrong and what would be right, so it can be shown to a person as it is.
"""

from __future__ import annotations

from collections.abc import Iterable


class LoopWMError(Exception):
    """Base of all errors raised on purpose."""


class ConfigError(LoopWMError):
    """A settings file or value is not usable."""


class BundleError(LoopWMError):
    """A model bundle is damaged or incomplete."""


class MismatchError(LoopWMError):
    """Two parts that must agree (bundle, arm, camera, control period) do not."""


class SensorError(LoopWMError):
    """A sensor message cannot be used."""


class PlanningError(LoopWMError):
    """A plan cannot be used."""


class BagError(LoopWMError):
    """A recording cannot be read, or written."""


class CertificateError(LoopWMError):
    """A validation's result cannot be read, or cannot be trusted."""


class CalibrationError(LoopWMError):
    """What was recorded does not suffice for a calibration, or contradicts itself."""


class ExportError(LoopWMError):
    """An exported graph does not reproduce the trained model."""


def choices(kind: str, name: str, valid: Iterable[str]) -> ConfigError:
    """Error for a name that is not among the valid ones."""
    return ConfigError(f"unknown {kind} '{name}'; valid: {', '.join(sorted(valid)) or 'none'}")
