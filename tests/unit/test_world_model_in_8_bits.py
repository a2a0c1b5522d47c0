"""Products in 8 bits: chosen where they were asked for and will do, and how near they come."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from loopwm_ros.bundle import Bundle, load_bundle
from loopwm_ros.config import load_arm, load_task
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import ConfigError
from loopwm_ros.world_model import in_8_bits
from loopwm_ros.world_model.onnx_model import OnnxWorldModel
from loopwm_ros.world_model.settings import WorldModelSettings
from tests.bundles import make_bundle

MODELS = Path(__file__).resolve().parents[2] / "models"


@pytest.fixture(scope="module")
def clutter() -> Bundle:
    return load_bundle(MODELS / "panda_rod_clutter")


def model(bundle: Bundle, **settings: object) -> OnnxWorldModel:
    return OnnxWorldModel(bundle, Kinematics(load_arm(bundle.manifest.arm)), WorldModelSettings(**settings))


def operators(graph: bytes) -> set[str]:
    return {node.op_type for node in onnx.load_model_from_string(graph).graph.node}


def test_products_are_quantised_and_nothing_else_is_left_of_them(clutter: Bundle) -> None:
    quick = operators(in_8_bits.in_8_bits(clutter.graph("block")))
    assert "MatMulInteger" in quick
    assert not {"Gemm", "MatMul"} & quick


def test_what_is_read_out_after_a_whole_horizon_is_millimetres_off(clutter: Bundle) -> None:
    plain, quick = model(clutter), model(clutter, precision="int8")
    assert (plain.precision, quick.precision) == ("float32", "int8")
    actions = np.random.default_rng(0).uniform(-1, 1, (64, 16, 2)).astype(np.float32)
    state = plain.advance(plain.initial_state(), actions[0])
    ends = [one.rollout(state, actions, 4, None).readouts[:, -1] for one in (plain, quick)]
    off = np.abs(np.subtract(*ends))[:, clutter.manifest.spec.predicted]
    assert 0.0 < float(np.median(off)) < 0.003
    assert float(np.quantile(off, 0.99)) < 0.02


def test_nothing_is_quantised_unless_it_is_asked_for(
    clutter: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert model(clutter).note == ""


@pytest.mark.parametrize(("quick", "chosen"), [(0.5, "int8"), (2.0, "float32")])
def test_auto_takes_the_quicker_one_and_says_so(
    clutter: Bundle, monkeypatch: pytest.MonkeyPatch, quick: float, chosen: str
) -> None:
    monkeypatch.setattr(in_8_bits, "_seconds", lambda *_: [1.0, quick])
    made = model(clutter, precision="auto")
    assert made.precision == chosen
    assert made.note.startswith(f"precision: {chosen}")
    assert f"{1 / quick:.2f} times as quick as float32 here" in made.note
    assert "mm off" in made.note


def test_read_outs_that_differ_too_far_are_refused_or_left(
    clutter: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_8_bits, "OFF", 1e-6)
    with pytest.raises(ConfigError, match=r"moves what 'panda_rod_clutter' reads out by .* mm .*float32"):
        model(clutter, precision="int8")
    made = model(clutter, precision="auto")
    assert (made.precision, "float32 (precision 'int8' moves" in made.note) == ("float32", True)


def test_a_missing_package_is_named_and_auto_does_without(
    clutter: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"needs the package onnx: pip install onnx"):
        model(clutter, precision="int8")
    assert "pip install onnx" in model(clutter, precision="auto").note


def test_float16_is_not_for_the_cpu(clutter: Bundle) -> None:
    with pytest.raises(ConfigError, match=r"'float16' is not for CPU.*int8 for the CPU"):
        model(clutter, precision="float16")


def test_a_bundle_without_products_has_nothing_to_gain(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", load_arm("panda"), load_task("reach"))
    made = model(bundle, precision="int8")
    assert made.precision == "int8"
    assert "0.0 mm off" in made.note
