"""What a study compares: one encoder, and arms that differ from a common base in what they say."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError

from loopwm_ros.config import Settings
from loopwm_ros.errors import ConfigError, choices
from loopwm_ros.training.settings import TrainSettings


class ArmSettings(Settings):
    """One arm: what it says differs from the base."""

    like: str = Field("", description="an arm that this one differs from, in place of the base")
    seeds: int = Field(3, ge=1)
    changes: dict[str, Any] = Field({}, description="of the training settings, nested as they are")


class StudySettings(Settings):
    """A study's file."""

    base: TrainSettings
    curve_points: int = Field(12, ge=1, description="evaluations on held-out windows while an arm trains")
    horizon_stages: int = Field(
        3, ge=1, description="steps in which the imagined horizon grows to its full length"
    )
    arms: dict[str, ArmSettings]

    def train_settings(self, arm: str) -> TrainSettings:
        """The training settings of an arm.

        Raises:
            ConfigError: no such arm, or its changes make no valid settings.
        """
        try:
            return TrainSettings.model_validate(_merged(self.base.model_dump(), self._changes(arm, ())))
        except ValidationError as error:
            first = error.errors()[0]
            raise ConfigError(f"arm '{arm}': {'.'.join(map(str, first['loc']))}: {first['msg']}") from error

    def _changes(self, arm: str, seen: tuple[str, ...]) -> dict[str, Any]:
        if arm not in self.arms or arm in seen:
            raise choices("arm", arm, [name for name in self.arms if name not in seen])
        settings = self.arms[arm]
        below = self._changes(settings.like, (*seen, arm)) if settings.like else {}
        return _merged(below, settings.changes)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` on top of `below`, folder by folder."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if isinstance(value, dict) and isinstance(under, dict) else value
    return merged
