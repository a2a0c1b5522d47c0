"""Which settings may go on with what another run, or the same one, has trained."""

from __future__ import annotations

from pathlib import Path

from loopwm_ros.errors import ConfigError
from loopwm_ros.training.settings import TrainSettings

LATER = ("joint", "policy")  # stages that a finished run can take on, in their order
BEFORE = "before_joint_"  # begins the names of metrics of the model that stage joint was given
MODEL = ("image", "encoder", "core", "stride", "chunk", "held_out", "split_seed")


def require_same_run(out: Path, there: TrainSettings, settings: TrainSettings) -> None:
    """Check that the run in `out` is the one of `settings`, or that with stages left out.

    Raises:
        ConfigError: it is another run, or a stage that it lacks would come before one that it has begun.
    """
    added = [name for name in LATER if getattr(there, name) is None and getattr(settings, name) is not None]
    if there != settings.model_copy(update=dict.fromkeys(added)):
        raise ConfigError(f"{out} holds a run with other settings or data; name another folder")
    if "joint" in added and (out / "policy.safetensors").exists():
        raise ConfigError(
            f"{out} has a policy that knows the model before stage joint; "
            f"train both in another folder with --start {out}"
        )


def require_start(start: Path, there: TrainSettings, settings: TrainSettings) -> None:
    """Check that a run with `settings` can take the weights of run `start` in place of its first stages.

    Raises:
        ConfigError: the model or the held-out episodes are others, or no stage is left to train.
    """
    if settings.joint is None and settings.policy is None:
        raise ConfigError("with --start, the settings must have a section joint or policy to train")
    if other := [name for name in MODEL if getattr(there, name) != getattr(settings, name)]:
        raise ConfigError(
            f"{start} has other settings in {', '.join(other)}; "
            f"begin with its settings.yaml, and add the sections joint or policy"
        )
