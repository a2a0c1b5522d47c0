"""The model in the repository: whole, small, made from a commit, and fit for the shipped cell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loopwm_ros.bundle import GRAPHS, Bundle, check_fit, load_bundle
from loopwm_ros.config import load_arm, load_task, load_world

ARM, TASK = load_arm("panda"), load_task("reach")
WORLD = load_world(TASK.world)
SIZE = 10e6  # [bytes] that a clone may have to fetch
PARITY = 1e-4  # largest difference from the trained model, each output in its own unit


@pytest.fixture(scope="module")
def shipped(repository: Path) -> Bundle:
    return load_bundle(repository / "models" / f"{ARM.name}_{TASK.name}")


def test_it_fits_the_shipped_cell(shipped: Bundle) -> None:
    manifest = shipped.manifest
    camera = ARM.camera.width, ARM.camera.height
    check_fit(manifest, ARM, camera, 1.0 / WORLD.control_rate)
    assert (manifest.arm, manifest.task, manifest.camera) == (ARM.name, TASK.name, ARM.camera)
    assert manifest.spec.control_period == pytest.approx(0.05)
    assert manifest.spec.quantities == TASK.quantities
    assert manifest.spec.max_tool_speed == TASK.max_tool_speed


def test_it_holds_what_its_manifest_names_and_is_small(shipped: Bundle) -> None:
    files = {path.name: path.stat().st_size for path in shipped.root.iterdir()}
    graphs = {graph.file for graph in shipped.manifest.graphs.values()}
    assert files.keys() == {"manifest.json", "manifest.sha256", *graphs}
    assert sum(files.values()) < SIZE


def test_it_says_where_it_comes_from(shipped: Bundle) -> None:
    provenance = shipped.manifest.provenance
    assert re.fullmatch(r"[0-9a-f]{40}", provenance.git_revision), "neither unknown nor -dirty"
    assert re.fullmatch(r"[0-9a-f]{64}", provenance.data_sha256)
    assert len(set(provenance.data_sha256)) > 1
    assert {"reading_ball_median_cm", "open_loop_tool_k8_cm", "gated_loops_mean"} <= provenance.metrics.keys()
    assert provenance.config["arm"] == ARM.name


def test_it_computes_what_was_trained(shipped: Bundle) -> None:
    assert shipped.manifest.parity.keys() == {*GRAPHS, "rollout"}
    assert max(shipped.manifest.parity.values()) <= PARITY
