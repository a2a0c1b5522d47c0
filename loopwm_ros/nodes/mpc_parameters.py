"""Parameters of the mpc node."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from loopwm_ros.config import Settings
from loopwm_ros.control.assembly import MpcSettings
from loopwm_ros.planning.settings import PlannerSettings
from loopwm_ros.world_model.settings import WorldModelSettings


def _default(kind: type[Settings], name: str) -> Any:  # noqa: ANN401  (of the field's own type)
    return kind.model_fields[name].default


class MpcParameters(Settings):
    """All of it is fixed while the node is configured."""

    bundle: str = Field("", description="folder of the model bundle")
    arm: str = Field("panda", description="arm, by name or path of a YAML file")
    task: str = Field("reach", description="task, by name or path of a YAML file")
    control_period: float = Field(0.05, ge=0.005, le=1.0, description="between two commands [s]")
    image_transport: Literal["compressed", "raw"] = Field("compressed", description="camera topic to use")
    loops: int = Field(
        _default(WorldModelSettings, "loops"), ge=0, le=64, description="of each transition; 0: early exit"
    )
    provider: Literal["cpu", "cuda", "auto"] = Field("cpu", description="where ONNX Runtime runs")
    threads: int = Field(1, ge=1, le=64, description="of ONNX Runtime, within one operator")
    planner: Literal["mppi", "cem"] = Field("mppi", description="how candidates are updated")
    horizon: int = Field(
        _default(PlannerSettings, "horizon"), ge=1, le=64, description="transitions looked ahead"
    )
    candidates: int = Field(
        _default(PlannerSettings, "candidates"), ge=2, le=4096, description="futures imagined a refinement"
    )
    refinements: int = Field(
        _default(PlannerSettings, "refinements"), ge=1, le=16, description="of each plan"
    )
    plan_share: float = Field(0.75, ge=0.1, le=0.95, description="share of a slot that planning may take")
    sensor_timeout: float = Field(0.3, ge=0.02, le=5.0, description="age at which input is stale [s]")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="of the first activation; each next one adds 1")
    trace_path: str = Field("", description="JSON-lines file with a line a cycle and plan; empty: none")

    def controller(self) -> MpcSettings:
        """The part that the controller needs."""
        return MpcSettings(
            model=WorldModelSettings(loops=self.loops, provider=self.provider, threads=self.threads),
            planner=PlannerSettings(
                kind=self.planner,
                horizon=self.horizon,
                candidates=self.candidates,
                refinements=self.refinements,
            ),
        )
