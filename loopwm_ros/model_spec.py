"""What goes into a model and what comes out: the contract of training and robot alike."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from loopwm_ros.config import RodConfig, Settings
from loopwm_ros.errors import MismatchError

Iterate = Literal["block", "parts"]
MAX_PIXELS = 2**20  # of the encoder's image; ours has 12 thousand
MAX_STATE = 2**16  # floats of one latent state, and dozens are imagined at once; ours has 256
MAX_NAMES = 128  # joints, quantities


def _axes(point: str, axes: str) -> list[str]:
    """The quantities that say where a point is, along some axes."""
    return [f"{point}_{axis}" for axis in axes]


class ModelSpec(Settings):
    """Its sizes, names, units and periods."""

    image_width: int = Field(gt=0, le=MAX_PIXELS, description="after pre-processing [px]")
    image_height: int = Field(gt=0, le=MAX_PIXELS)
    image_mean: float
    image_std: float = Field(gt=0)
    joints: tuple[str, ...] = Field(max_length=MAX_NAMES)
    proprio_mean: tuple[float, ...] = Field(description="joint positions, velocities, tool x y z")
    proprio_std: tuple[Annotated[float, Field(gt=0)], ...]
    tool_frame: str
    rod: RodConfig | None = Field(None, description="on the tool frame; its tip is the tool point")
    quantities: tuple[str, ...] = Field(max_length=MAX_NAMES)
    unpredicted: tuple[str, ...] = Field((), max_length=MAX_NAMES, description="points: no future was taught")
    max_tool_speed: float = Field(gt=0, description="an action of 1.0 [m/s]")
    action_dim: int = Field(3, gt=0, le=MAX_NAMES)
    control_period: float = Field(gt=0, description="of the recordings it was trained on [s]")
    stride: int = Field(gt=0, le=1000, description="control periods per transition")
    chunk: int = Field(
        1, gt=0, le=64, description="actions that one imagined transition may span; observed ones span one"
    )
    tokens: int = Field(gt=0, le=MAX_STATE)
    width: int = Field(gt=0, le=MAX_STATE)
    max_loops: int = Field(gt=0, le=256)
    mean_loops: int = Field(gt=0, le=256, description="training mean of T")
    iterate: Iterate = Field("block", description="each time: the block again; parts: a part of the chunk")
    gate_threshold: float = Field(gt=0, le=1, description="tau: exit when the gate exceeds it")
    second_difference_threshold: float = Field(ge=0, description="exit below it; 0 switches it off")

    @property
    def model_period(self) -> float:
        """Duration of one action, which an observed transition spans [s]."""
        return self.control_period * self.stride

    def commands_per_action(self, control_period: float) -> int:
        """Commands that go out while one action lasts, `control_period` [s] apart.

        Raises:
            MismatchError: that is no whole number, or fewer than in the recordings.
        """
        count = round(self.model_period / control_period)
        if count < self.stride or abs(count * control_period - self.model_period) > 1e-6:
            raise MismatchError(
                f"a control period of {control_period * 1e3:g} ms does not go with the model: choose "
                f"{self.control_period * 1e3:g} ms, as in its recordings, or a shorter one of which its "
                f"actions of {self.model_period * 1e3:g} ms last a whole number"
            )
        return count

    @property
    def action_input(self) -> int:
        """Values that the prelude is told of the actions of one transition (`processing.states.chunked`)."""
        return self.action_dim if self.chunk == 1 else self.chunk * self.action_dim + 1

    @property
    def steps_whole(self) -> bool:
        """Whether every iteration calls prelude, block and coda, each once."""
        return self.iterate == "parts" or self.max_loops == 1

    def columns(self, point: str, axes: str = "xyz") -> list[int]:
        """Where x, y and z (or other `axes`) of a point, e.g. "tool", stand among the quantities.

        Raises:
            MismatchError: the model does not read them out.
        """
        names = _axes(point, axes)
        if missing := [name for name in names if name not in self.quantities]:
            raise MismatchError(
                f"no quantity {', '.join(missing)}; the model reads out {', '.join(self.quantities)}"
            )
        return [self.quantities.index(name) for name in names]

    @property
    def predicted(self) -> list[int]:
        """Columns of the quantities whose future the heads were taught."""
        points = [name.rpartition("_")[0] for name in self.quantities]
        return [column for column, point in enumerate(points) if point not in self.unpredicted]

    def locates(self, point: str, axes: str = "xyz") -> bool:
        """Whether the model reads out x, y and z (or other `axes`) of a point."""
        return set(_axes(point, axes)) <= set(self.quantities)

    @model_validator(mode="after")
    def _sizes(self) -> ModelSpec:
        if self.image_width * self.image_height > MAX_PIXELS or self.tokens * self.width > MAX_STATE:
            raise ValueError(
                f"an image of {self.image_width}x{self.image_height} or a state of {self.tokens}x"
                f"{self.width} is too large; expected at most {MAX_PIXELS} pixels and {MAX_STATE} values"
            )
        expected = 2 * len(self.joints) + 3
        for key in ("proprio_mean", "proprio_std"):
            if len(getattr(self, key)) != expected:
                raise ValueError(f"{key} has {len(getattr(self, key))} values, expected {expected}")
        return self
