"""Each model in the repository: whole, small, made from a commit, and fit for its arm, task and cell."""

from __future__ import annotations

import re

import pytest

from loopwm_ros.bundle import Bundle, check_fit, load_bundle
from loopwm_ros.config import load_arm, load_task, load_world, share_dir, usual_arm
from loopwm_ros.control.assembly import build_motion
from loopwm_ros.control.kinematics import Kinematics

MODELS = sorted((share_dir() / "models").iterdir())
SIZE = 10e6  # [bytes] that a clone may have to fetch for one
PARITY = 1e-4  # largest difference from the trained model, each output in its own unit


@pytest.fixture(params=MODELS, ids=[path.name for path in MODELS])
def shipped(request: pytest.FixtureRequest) -> Bundle:
    return load_bundle(request.param)


@pytest.mark.parametrize("task", ["reach", "push"])
def test_each_task_has_one_for_its_usual_arm(task: str) -> None:
    assert f"{usual_arm(task)}_{task}" in {path.name for path in MODELS}


@pytest.mark.parametrize("arm", ["panda", "ur5e", "xarm6", "iiwa"])
def test_each_arm_has_one_that_reaches(arm: str) -> None:
    assert f"{arm}_reach" in {path.name for path in MODELS}


def test_it_fits_its_arm_and_task(shipped: Bundle) -> None:
    manifest = shipped.manifest
    arm, task = load_arm(manifest.arm), load_task(manifest.task)
    period = 1.0 / load_world(task.world).control_rate
    assert shipped.root.name == manifest.name == f"{arm.name}_{task.name}"
    check_fit(manifest, arm, (arm.camera.width, arm.camera.height), period)
    assert manifest.camera == arm.camera
    assert manifest.spec.control_period == pytest.approx(0.05)
    assert manifest.spec.quantities == task.quantities
    assert manifest.spec.max_tool_speed == task.max_tool_speed
    assert manifest.spec.action_dim == task.action_dim
    build_motion(Kinematics(arm), arm, task, period)


def test_it_holds_what_its_manifest_names_and_is_small(shipped: Bundle) -> None:
    files = {path.name: path.stat().st_size for path in shipped.root.iterdir()}
    graphs = {graph.file for graph in shipped.manifest.graphs.values()}
    assert files.keys() == {"manifest.json", "manifest.sha256", *graphs}
    assert sum(files.values()) < SIZE


def test_it_says_where_it_comes_from(shipped: Bundle) -> None:
    provenance, goal = shipped.manifest.provenance, load_task(shipped.manifest.task).goal
    revisions = provenance.git_revision.split("+")
    assert all(re.fullmatch(r"[0-9a-f]{40}", each) for each in revisions), "neither unknown nor -dirty"
    assert len(revisions) == 1 or provenance.config["joint"] is not None, "unless it began with a run"
    assert re.fullmatch(r"[0-9a-f]{64}", provenance.data_sha256)
    assert len(set(provenance.data_sha256)) > 1
    told = {f"reading_{goal}_median_cm", "open_loop_tool_k8_cm", "gated_loops_mean"}
    assert told <= provenance.metrics.keys()
    assert load_arm(str(provenance.config["arm"])).name == shipped.manifest.arm


def test_it_computes_what_was_trained(shipped: Bundle) -> None:
    assert shipped.manifest.parity.keys() == {*shipped.manifest.graphs, "rollout"}
    assert max(shipped.manifest.parity.values()) <= PARITY
