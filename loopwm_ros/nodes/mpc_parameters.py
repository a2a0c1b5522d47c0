"""Parameters of the mpc node."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from loopwm_ros.config import Settings, TaskConfig
from loopwm_ros.control.assembly import MpcSettings, planner_settings
from loopwm_ros.control.goal import GoalSettings
from loopwm_ros.control.prediction_gap import GapSettings
from loopwm_ros.nodes.scheduling import Priority
from loopwm_ros.planning.settings import PlannerKind
from loopwm_ros.world_model.settings import ExitKind, Precision, Provider, WorldModelSettings


class MpcParameters(Settings):
    """All of it is fixed while the node is configured."""

    bundle: str = Field("", description="folder of the model bundle")
    arm: str = Field("", description="arm, by name or path of a YAML file; empty: the usual one of the task")
    task: str = Field("reach", description="task, by name or path of a YAML file")
    goal_source: Literal["seen", "position", "image"] = Field(
        "seen", description="the goal is seen by the camera, or given: as a position, or in an image"
    )
    goal_image: str = Field(
        "", description="PNG or JPEG file of the goal image, which ~/capture_goal writes; empty: none"
    )
    control_period: float = Field(0.05, ge=0.005, le=1.0, description="between two commands [s]")
    image_transport: Literal["compressed", "raw"] = Field("compressed", description="camera topic to use")
    camera_info: str = Field(
        "", description="camera_info YAML of the camera, of its driver; empty: lens and size of the bundle's"
    )
    hand_eye: str = Field(
        "", description="hand_eye.yaml of the camera, or its folder; empty: it stands where the bundle's did"
    )
    loops: int = Field(
        WorldModelSettings().loops, ge=0, le=64, description="of each transition; 0: early exit"
    )
    exit: ExitKind = Field(
        WorldModelSettings().exit,
        description="what ends a transition early; either: gate or second_difference; "
        "none: the training mean of iterations",
    )
    change_threshold: float = Field(
        0.0, ge=0.0, le=1000.0, description="of exit change: norm of the state's change; 0: none"
    )
    readout_tolerance: float = Field(
        WorldModelSettings().readout_tolerance,
        ge=1e-6,
        le=1.0,
        description="of exit readout: motion of each predicted quantity in an iteration [m]",
    )
    provider: Provider = Field(
        "cpu", description="where ONNX Runtime runs; auto: CUDA where it works, else CPU"
    )
    precision: Precision = Field(
        "float32",
        description="float16: on a GPU; int8: on the CPU; auto: int8 where the CPU is quicker with it",
    )
    threads: int = Field(1, ge=1, le=64, description="of ONNX Runtime, within one operator")
    realtime_priority: Priority = 0
    planner: PlannerKind = Field(
        "mppi", description="how candidates are updated; policy: no search, the bundle's policy decides"
    )
    proposal: Literal["task", "none", "policy", "auto"] = Field(
        "task", description="where to look besides the last plan; task: as the task needs"
    )
    horizon: int = Field(0, ge=0, le=64, description="actions looked ahead; 0: as the task needs")
    candidates: int = Field(
        0, ge=0, le=4096, description="futures imagined a refinement; 0: as the task needs"
    )
    refinements: int = Field(0, ge=0, le=16, description="of each plan; 0: as the task needs")
    plan_share: float = Field(0.75, ge=0.1, le=0.95, description="share of a slot that planning may take")
    sensor_timeout: float = Field(0.3, ge=0.02, le=5.0, description="age at which input is stale [s]")
    check_camera: bool = Field(
        True, description="hold while the camera's pictures are black, or frozen while the arm moves"
    )
    gap_steps: int = Field(
        GapSettings().steps,
        ge=0,
        le=30,
        description="model periods imagined again in hindsight, for the monitor; 0: none",
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="of the first activation; each next one adds 1")
    trace_path: str = Field("", description="JSON-lines file with a line a cycle and plan; empty: none")

    def controller(self, task: TaskConfig) -> MpcSettings:
        """The part that the controller needs, for this task.

        Raises:
            ConfigError: the task's file has planner settings that are none.
        """
        return MpcSettings(
            goal=GoalSettings(source=self.goal_source),
            gap=GapSettings(steps=self.gap_steps),
            model=self._model(),
            planner=planner_settings(
                task,
                self.planner,
                horizon=self.horizon,
                candidates=self.candidates,
                refinements=self.refinements,
                proposal="" if self.proposal == "task" else self.proposal,
            ),
        )

    def _model(self) -> WorldModelSettings:
        return WorldModelSettings(
            provider=self.provider,
            precision=self.precision,
            threads=self.threads,
            loops=self.loops,
            exit=self.exit,
            change_threshold=self.change_threshold or None,
            readout_tolerance=self.readout_tolerance,
        )
