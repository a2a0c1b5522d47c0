"""How the world model is run; what it is stands in the bundle."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from loopwm_ros.config import Settings
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.processing.states import spans

Provider = Literal["cpu", "cuda", "tensorrt", "auto"]
Precision = Literal["float32", "float16", "int8", "auto"]
ExitKind = Literal["gate", "second_difference", "either", "change", "readout", "none"]


class WorldModelSettings(Settings):
    """Runtime choices of the world model."""

    provider: Provider = Field("cpu", description="where it computes; auto: CUDA where it works, else CPU")
    precision: Precision = Field(
        "float32",
        description="float16: of rollouts on a GPU; int8: of products on the CPU; auto: "
        "int8 where it is quicker on this machine's CPU",
    )
    threads: int = Field(1, ge=1, description="threads within one operator")
    loops: int = Field(0, ge=0, description="iterations of every transition; 0: as the exit test decides")
    exit: ExitKind = Field(
        "either",
        description="test that ends a candidate's loop; either: gate or second_difference; "
        "none: the training mean for all; a bundle that iterates over parts has gate and change alone",
    )
    gate_threshold: float | None = Field(None, gt=0, le=1, description="instead of the bundle's tau")
    second_difference_threshold: float | None = Field(None, ge=0, description="instead of the bundle's")
    change_threshold: float | None = Field(None, gt=0, description="of exit change: norm of h^(t) - h^(t-1)")
    readout_tolerance: float = Field(
        0.002, gt=0, description="of exit readout: motion of each predicted quantity in an iteration [m]"
    )
    readout_every: int = Field(2, ge=1, description="actions between head calls; the last is always read")
    compact_below: float = Field(0.95, ge=0, le=1, description="running share that compacts the batch")
    initial_seed: int = Field(0, ge=0, description="of the Gaussian state before the first observation")

    def loop_cap(self, spec: ModelSpec) -> int:
        """Most iterations of a transition.

        Raises:
            ConfigError: `loops` exceeds what the bundle allows.
        """
        if self.loops > spec.max_loops:
            raise ConfigError(
                f"loops is {self.loops}; the bundle allows 1 to {spec.max_loops}, or 0 for early exit"
            )
        if self.loops:
            return self.loops
        return spec.mean_loops if self.exit == "none" else spec.max_loops

    def readout_steps(self, horizon: int, spec: ModelSpec) -> tuple[int, ...]:
        """Actions (1-based) after which the heads are called: every `readout_every`-th and the last.

        Where it falls within a transition that spans several, its end is read instead.
        """
        ends = [span.stop for span in spans(spec, horizon)]
        every = self.readout_every
        return tuple(
            end
            for begin, end in zip([0, *ends], ends, strict=False)
            if begin // every < end // every or end == horizon
        )
