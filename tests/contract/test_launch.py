"""Launch files name only what exists, and load under the real launch engine where it is installed."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
from pathlib import Path

import pytest
import yaml

from loopwm_ros.config import Settings
from loopwm_ros.errors import ConfigError
from loopwm_ros.nodes.calibration_parameters import CalibrationParameters
from loopwm_ros.nodes.monitor_parameters import MonitorParameters
from loopwm_ros.nodes.mpc_parameters import MpcParameters
from loopwm_ros.nodes.safety_parameters import SafetyParameters
from loopwm_ros.nodes.sim_settings import SimSettings
from loopwm_ros.nodes.standin_settings import StandinParameters

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "launch").glob("*.launch.py"))
COMMON = ROOT / "loopwm_ros" / "nodes" / "launching.py"
NODES: dict[str, type[Settings]] = {
    "sim": SimSettings,
    "safety": SafetyParameters,
    "mpc": MpcParameters,
    "monitor": MonitorParameters,
    "calibration": CalibrationParameters,
    "standin": StandinParameters,
}


def calls(tree: ast.AST, *names: str) -> list[ast.Call]:
    return [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") in names]


def strings(tree: ast.AST) -> list[str]:
    return [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def keyword(call: ast.Call, name: str) -> ast.expr:
    return next(k.value for k in call.keywords if k.arg == name)


def described(tree: ast.AST) -> dict[str, tuple[ast.expr, str]]:
    """Launch arguments: default and description, from the dictionary named `described`."""
    (table,) = [
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "described"
    ]
    assert isinstance(table, ast.Dict)
    return {k.value: (v.elts[0], v.elts[1].value) for k, v in zip(table.keys, table.values, strict=True)}


@pytest.fixture(params=FILES, ids=[f.name for f in FILES])
def tree(request: pytest.FixtureRequest) -> ast.Module:
    """The file, and what it has in common with the others."""
    parts = [ast.parse(path.read_text()) for path in (request.param, COMMON)]
    return ast.Module(body=[node for part in parts for node in part.body], type_ignores=[])


def test_there_are_launch_files() -> None:
    assert {"sim.launch.py", "arm.launch.py"} <= {f.name for f in FILES}


def test_executables_exist(tree) -> None:
    nodes = calls(tree, "node")
    assert nodes
    for node in nodes:
        name = node.args[1].value
        path = ROOT / "lib" / "loopwm_ros" / name
        assert os.access(path, os.X_OK), f"{path} is missing or not executable"
        assert f"from loopwm_ros.nodes.{name} import main" in path.read_text()


def test_what_hand_eye_needs_beside_it_is_said() -> None:
    arguments = described(ast.parse((ROOT / "launch" / "arm.launch.py").read_text()))
    alone = CalibrationParameters(arm="panda", hand_eye="hand_eye.yaml")
    with pytest.raises(ConfigError, match="there is nothing to look at"):
        alone.check()
    for name, other in (("board", "reference"), ("reference", "board")):
        alone.model_copy(update={name: "file"}).check()
        assert f"hand_eye needs this or {other}" in arguments[name][1]
    assert "needs board or reference" in arguments["hand_eye"][1]


def test_all_ends_when_one_node_ends_or_the_mpc_node_cannot_be_configured(tree) -> None:
    (process,) = calls(tree, "kind")
    assert ast.unparse(keyword(process, "on_exit")) == "_unless_killed(name, end) if recovers else end"
    assert "end = Shutdown(" in ast.unparse(tree)
    paths = {tuple(strings(call)): ast.unparse(call.args[-1]) for call in calls(tree, "reached")}
    assert {states for states, action in paths.items() if action == "give_up"} == {
        ("configuring", "unconfigured"),
        ("errorprocessing", "unconfigured"),
    }


def test_files_in_the_share_folder_exist(tree) -> None:
    named = [s for s in strings(tree) if re.fullmatch(r"[\w-]+\.(yaml|xml|rviz)", s)]
    assert named
    for name in named:
        assert list((ROOT / "config").glob(name)), f"config/{name}"


def test_every_argument_is_described_and_used(tree) -> None:
    arguments = described(tree)
    for name, (_, text) in arguments.items():
        assert len(text) > 10, f"{name} needs a description"
    used = {s for call in calls(tree, "LaunchConfiguration", "given") for s in strings(call)}
    assert used == set(arguments)


def test_each_node_has_the_parameters_it_is_given(tree) -> None:
    assignments = [n for n in ast.walk(tree) if isinstance(n, ast.Assign)]
    assigned = {n.targets[0].id: n.value for n in assignments if isinstance(n.targets[0], ast.Name)}
    for node in calls(tree, "node"):
        name = node.args[1].value
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} | {"shared"}
        parts = [node, *(assigned[n] for n in names & set(assigned))]
        given = {s for part in parts for call in calls(part, "given") for s in strings(call)}
        unknown = given - {"use_sim_time"} - set(NODES[name].model_fields)
        assert given
        assert not unknown, f"node {name} has no parameter {unknown}"


def test_the_parameter_file_holds_each_node_s_parameters_at_their_defaults() -> None:
    content = yaml.safe_load((ROOT / "config" / "parameters.yaml").read_text())
    written = {node: body["ros__parameters"] for node, body in content.items()}
    assert written == {
        node: {name: field.default for name, field in kind.model_fields.items()}
        for node, kind in NODES.items()
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_loads_under_the_launch_engine_where_there_is_one(path) -> None:
    described_here = described(ast.parse(path.read_text()))
    assert described_here
    if importlib.util.find_spec("launch_ros") is None:
        return
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    arguments = get_launch_description_from_python_launch_file(str(path)).get_launch_arguments()
    assert {a.name: a.description for a in arguments} == {k: text for k, (_, text) in described_here.items()}
