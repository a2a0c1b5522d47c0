"""The policy of a bundle, imagined on by the model of the same bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loopwm_ros.bundle import load_bundle, write_manifest
from loopwm_ros.config import load_arm, load_task, load_world
from loopwm_ros.control.assembly import MpcSettings, planner_settings
from loopwm_ros.errors import BundleError, ConfigError
from loopwm_ros.validation.lockstep_run import EpisodeRun, RunRequest, run_lockstep
from loopwm_ros.validation.summary import Measurements
from loopwm_ros.world_model.onnx_model import OnnxWorldModel
from loopwm_ros.world_model.settings import WorldModelSettings
from tests.bundles import make_bundle
from tests.fakes import FixedTool

ARM, TASK = load_arm("panda"), load_task("reach")


def model_of(root: Path) -> OnnxWorldModel:
    return OnnxWorldModel(load_bundle(root), FixedTool((0.4, 0.0, 0.5)), WorldModelSettings())


def state_at(model: OnnxWorldModel, tool: tuple[float, float, float]) -> np.ndarray:
    state = np.zeros((model.spec.tokens, model.spec.width), dtype=np.float32)
    state[0, :3] = tool
    return state


def test_it_goes_on_from_where_its_own_actions_lead(tmp_path: Path) -> None:
    make_bundle(tmp_path, ARM, TASK, policy=True)
    model = model_of(tmp_path)
    assert model.policy is not None
    reach = model.spec.max_tool_speed * model.spec.model_period
    goal = np.array([0.4 + 2.5 * reach, 0.0, 0.5 - 0.5 * reach])
    actions = model.policy.propose(state_at(model, (0.4, 0.0, 0.5)), goal, 4)
    expected = [[1, 0, -0.5], [1, 0, 0], [0.5, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(actions, expected, atol=0.06)  # of few iterations
    assert actions.dtype == np.float32
    assert model.loops_seen().sum() == 3, "one transition fewer than actions"


def test_a_bundle_need_not_have_one(tmp_path: Path) -> None:
    make_bundle(tmp_path, ARM, TASK)
    assert model_of(tmp_path).policy is None


def test_a_policy_that_was_altered_is_refused(tmp_path: Path) -> None:
    make_bundle(tmp_path, ARM, TASK, policy=True)
    path = tmp_path / "policy.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match=r"policy\.onnx does not match"):
        load_bundle(tmp_path)


def test_a_policy_with_another_signature_is_refused(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, ARM, TASK, policy=True)
    graphs = bundle.manifest.graphs
    other = graphs["policy"].model_copy(update={"inputs": graphs["coda"].inputs})
    changed = bundle.manifest.model_copy(update={"graphs": {**graphs, "policy": other}})
    write_manifest(tmp_path, changed)
    with pytest.raises(BundleError, match="graph 'policy': inputs"):
        model_of(tmp_path)


def drive(bundle, controller: str, **chosen: str) -> tuple[EpisodeRun, Measurements]:
    kind = "policy" if controller == "policy" else "mppi"
    settings = MpcSettings(planner=planner_settings(TASK, kind, **chosen))
    request = RunRequest(
        ARM, TASK, load_world(TASK.world), controller, 1, 1000, bundle=bundle, settings=settings
    )
    episodes: list[EpisodeRun] = []
    measured = Measurements()
    run_lockstep(request, measured, episodes.append, lambda _: None)
    return episodes[0], measured


def test_in_lockstep_the_policy_drives_the_arm_to_the_goal(tmp_path: Path) -> None:
    episode, measured = drive(make_bundle(tmp_path, ARM, TASK, policy=True), "policy")
    assert episode.result.success
    assert set(measured.candidates) == {1}
    for plan in episode.trace.imagined:
        np.testing.assert_allclose(plan.offsets, [0.2, 0.4])
        assert len(plan.path) == 2


def test_in_lockstep_a_planner_may_start_from_it(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "with", ARM, TASK, policy=True)
    assert drive(bundle, "mpc", proposal="policy")[0].result.success
    with pytest.raises(ConfigError, match="the model bundle has no policy"):
        drive(make_bundle(tmp_path / "without", ARM, TASK), "mpc", proposal="policy")
