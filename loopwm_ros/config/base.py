"""Base of all settings, and how a YAML file becomes one.

Every model is frozen and refuses unknown keys, so a typo is an error that names the key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from loopwm_ros.config.outside import parse_yaml, read_bounded
from loopwm_ros.errors import ConfigError

Vec3 = tuple[float, float, float]


def _ordered_range(values: tuple[float, float]) -> tuple[float, float]:
    if not values[0] <= values[1]:
        raise ValueError(f"{values[0]} must not exceed {values[1]}")
    return values


Range = Annotated[tuple[float, float], AfterValidator(_ordered_range)]
Positive = Annotated[float, Field(gt=0)]


class Settings(BaseModel):
    """Base of all settings: immutable, unknown keys refused, and NaN and infinity, which pass every limit."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


SettingsT = TypeVar("SettingsT", bound=Settings)


class Box(Settings):
    """Axis-aligned box in the arm's base frame [m]."""

    low: Vec3
    high: Vec3

    @model_validator(mode="after")
    def _ordered(self) -> Box:
        if any(a >= b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError(f"low {self.low} must be below high {self.high} on every axis")
        return self


def read_yaml(path: Path) -> Any:  # noqa: ANN401
    """Contents of a YAML file.

    Raises:
        ConfigError: missing file or bad YAML.
    """
    try:
        return parse_yaml(read_bounded(path))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error


def validated(raw: Any, path: Path, kind: type[SettingsT]) -> SettingsT:  # noqa: ANN401
    """Settings from the contents of `path`.

    Raises:
        ConfigError: a value that does not validate, naming it.
    """
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()]
        raise ConfigError(f"{path} is not a valid {kind.__name__}:\n" + "\n".join(lines)) from error


def load_settings(path: Path, kind: type[SettingsT]) -> SettingsT:
    """Read and validate one YAML file.

    Raises:
        ConfigError: missing file, bad YAML, or a value that does not validate.
    """
    return validated(read_yaml(path), path, kind)
