"""What does not belong together is refused when the controller is put together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loopwm_ros.bundle import Bundle
from loopwm_ros.config import PlaneConfig, load_arm, load_task
from loopwm_ros.control.assembly import Mpc, MpcSettings, build_gate, build_mpc, planner_settings
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.safety_gate import GateSettings
from loopwm_ros.errors import ConfigError, LoopWMError, MismatchError
from loopwm_ros.planning.settings import PlannerSettings
from loopwm_ros.types import CameraFrame, JointState
from loopwm_ros.world_model.settings import WorldModelSettings
from tests.bundles import make_bundle

ARM, TASK = load_arm("panda"), load_task("reach")
KINEMATICS = Kinematics(ARM)
PERIOD = 0.05


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle"), ARM, TASK)


def build(bundle: Bundle, **changes: object) -> Mpc:
    settings = {"arm": ARM, "task": TASK, "control_period": PERIOD, "settings": MpcSettings(), "camera": None}
    return build_mpc(bundle, kinematics=KINEMATICS, **(settings | changes))


@pytest.mark.parametrize("kind", ["mppi", "cem"])
def test_whole_controllers_plan(bundle: Bundle, kind: str) -> None:
    mpc = build(bundle, settings=MpcSettings(planner=PlannerSettings(kind=kind)), camera=(160, 120))
    mpc.horizon.start(0.0, KINEMATICS.home)
    rgb = np.zeros((120, 160, 3), dtype=np.uint8)
    rgb[70:80, 60:70, 0] = 230
    for slot in range(4):
        mpc.synchroniser.add_joints(JointState(0.1 * slot, KINEMATICS.home, np.zeros(7)))
        mpc.synchroniser.add_frame(CameraFrame(0.1 * slot, rgb))
        observation = mpc.synchroniser.latest()
        assert observation is not None
        report = mpc.horizon.plan(observation, 0.1 * slot, None)
    assert report.plan is not None
    assert report.plan.refinements > 0
    assert report.goal is not None


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"camera": (320, 240)}, MismatchError, "160x120 camera, got 320x240"),
        ({"control_period": 0.03}, MismatchError, "period of 30 ms does not go with the model: choose 50 ms"),
        ({"control_period": 0.1}, MismatchError, "period of 100 ms does not go with the model: choose 50 ms"),
        ({"arm": ARM.model_copy(update={"joints": ARM.joints[::-1]})}, MismatchError, "names and order"),
        (
            {"task": TASK.model_copy(update={"quantities": (*TASK.quantities, "cup_x")})},
            MismatchError,
            r"task 'reach' needs \['cup_x'\] as well: take a bundle",
        ),
        ({"task": TASK.model_copy(update={"goal": "cup"})}, MismatchError, "no quantity cup_x"),
        (
            {"task": TASK.model_copy(update={"plane": PlaneConfig(height=0.1, x=(0.4, 0.5), y=(0, 0))})},
            MismatchError,
            "acts with 3 components, task 'reach' with 2",
        ),
        (
            {"settings": MpcSettings(model=WorldModelSettings(loops=99))},
            ConfigError,
            "the bundle allows 1 to 8",
        ),
    ],
)
def test_mismatches_are_named(
    bundle: Bundle, changes: dict[str, object], error: type[LoopWMError], message: str
) -> None:
    with pytest.raises(error, match=message):
        build(bundle, **changes)


def test_frames_of_another_size_are_refused_later_too(bundle: Bundle) -> None:
    mpc = build(bundle)
    with pytest.raises(LoopWMError, match="8x6"):
        mpc.synchroniser.add_frame(CameraFrame(0.0, np.zeros((6, 8, 3), dtype=np.uint8)))


def test_a_graph_of_another_model_is_refused(tmp_path: Path) -> None:
    other = make_bundle(tmp_path, ARM, TASK, width=32)
    spec = other.manifest.spec.model_copy(update={"width": 64})
    mixed = Bundle(other.root, other.manifest.model_copy(update={"spec": spec}), other.sha256)
    with pytest.raises(LoopWMError, match="expected"):
        build(mixed)


def test_planner_settings_are_the_task_s_unless_chosen() -> None:
    task = TASK.model_copy(update={"planner": {"horizon": 12, "noise": 0.3, "kind": "cem"}})
    settings = planner_settings(task, "mppi", horizon=0, candidates=32)
    assert settings == PlannerSettings(kind="mppi", horizon=12, noise=0.3, candidates=32)
    assert planner_settings(task, "mppi", horizon=6).horizon == 6
    assert planner_settings(TASK, "cem") == PlannerSettings(kind="cem", **TASK.planner)


@pytest.mark.parametrize(
    ("planner", "message"),
    [
        ({"horizn": 12}, "task 'reach', planner: horizn: Extra inputs"),
        ({"horizon": 0}, "task 'reach', planner: horizon: .* greater than or equal to 1"),
        ({"candidates": "many"}, "planner: candidates: .*valid integer"),
    ],
)
def test_a_planner_setting_of_the_task_that_is_none_is_named(
    planner: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        planner_settings(TASK.model_copy(update={"planner": planner}), "mppi")


def test_another_rod_is_refused(bundle: Bundle) -> None:
    with pytest.raises(MismatchError, match=r"no rod on the tool frame, arm 'panda_rod' has a rod of 0.2 m"):
        build(bundle, arm=load_arm("panda_rod"))


def test_gate_has_the_arm_and_the_settings() -> None:
    gate = build_gate(KINEMATICS, ARM, 0.0125, GateSettings(joint_timeout=0.02))
    gate.add_joints(JointState(0.0, KINEMATICS.home, np.zeros(7)), 0.0)
    with pytest.raises(LoopWMError, match="fresh joint states"):
        gate.arm(0.03)
