"""Layers: who may import whom, checked on the source and by importing without the forbidden parts."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "loopwm_ros"
LAYERS = (  # lowest first; parts in one row may import each other
    ("types", "errors"),
    ("config",),
    ("model_spec",),
    ("bundle",),
    ("processing",),
    ("messages", "backends"),
    ("world_model",),
    ("planning",),
    ("control",),
    ("bullet",),
    ("standin",),
    ("validation", "calibration", "data", "training"),
    ("bench",),
    ("nodes", "cli"),
)
LEVEL = {part: level for level, row in enumerate(LAYERS) for part in row}
ROS = {
    "rclpy",
    "launch",
    "launch_ros",
    "builtin_interfaces",
    "diagnostic_msgs",
    "geometry_msgs",
    "lifecycle_msgs",
    "rcl_interfaces",
    "rosgraph_msgs",
    "sensor_msgs",
    "std_msgs",
    "std_srvs",
    "tf2_msgs",
    "trajectory_msgs",
    "visualization_msgs",
}
TRAINING = {"torch", "onnx", "onnxscript", "safetensors", "tensorboard"}
MAKES_GRAPHS = {"world_model/unrolled.py", "world_model/in_8_bits.py", "bench/device_peak.py"}  # by onnx
WITHOUT_ROS_OR_TORCH = (
    "processing",
    "messages",
    "world_model",
    "planning",
    "control",
    "backends",
    "bullet",
    "standin",
    "validation",
    "calibration",
    "data",
    "bench",
)

BLOCKED = """
import importlib, pkgutil, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"blocked: {{name}}", name=name)
sys.meta_path.insert(0, Block())
package = importlib.import_module("loopwm_ros.{part}")
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
"""


def _sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _part(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            if node.module == "loopwm_ros":
                yield from (f"loopwm_ros.{alias.name}" for alias in node.names)
            else:
                yield node.module


def test_every_part_has_a_layer() -> None:
    assert {_part(p) for p in _sources()} - {"__init__"} == set(LEVEL)


@pytest.mark.parametrize("path", _sources(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_run_downwards(path: Path) -> None:
    part = _part(path)
    forbidden = TRAINING - {"onnx"} if path.relative_to(PACKAGE).as_posix() in MAKES_GRAPHS else TRAINING
    for name in _imports(path):
        top, _, rest = name.partition(".")
        if top == "loopwm_ros" and rest:
            assert LEVEL[rest.split(".")[0]] <= LEVEL[part], f"{part} imports {name}"
        assert top not in ROS or part == "nodes", f"{part} imports {name}; only nodes may"
        assert top not in forbidden or part == "training", f"{part} imports {name}; only training may"


@pytest.mark.parametrize("part", WITHOUT_ROS_OR_TORCH)
def test_runs_without_ros_and_torch(part: str) -> None:
    code = BLOCKED.format(blocked=ROS | TRAINING, part=part)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_blocking_works() -> None:
    code = BLOCKED.format(blocked=ROS | TRAINING, part="training")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "blocked: torch" in done.stderr
