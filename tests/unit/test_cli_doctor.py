"""`loopwm doctor` finds what is wrong, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from loopwm_ros.cli.doctor import check, doctor
from loopwm_ros.config import load_arm, load_task
from loopwm_ros.nodes import environment
from loopwm_ros.nodes.environment import profile_variable
from loopwm_ros.validation.checks import Check
from tests.bundles import make_bundle

app = typer.Typer()
app.command()(doctor)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("doctor") / "b", load_arm("panda"), load_task("reach")).root


def row(bundle: Path, name: str) -> Check:
    return next(r for r in check(bundle) if r.name == name)


def test_ros_onnxruntime_and_the_bundle_are_found(bundle) -> None:
    for name in (
        "Python",
        "rclpy",
        "Fast DDS profile",
        "onnxruntime",
        "ONNX Runtime providers",
        "pybullet",
        "bundle b",
    ):
        assert row(bundle, name).good, row(bundle, name)


def test_an_altered_bundle_is_named_with_exit_code_1(bundle) -> None:
    graph = bundle / "coda.onnx"
    data = graph.read_bytes()
    graph.write_bytes(data[:-1])
    try:
        assert "coda.onnx" in row(bundle, "bundle b").fix
        assert CliRunner().invoke(app, ["--bundle", str(bundle)]).exit_code == 1
    finally:
        graph.write_bytes(data)


def test_a_profile_without_room_for_images_is_refused(bundle, tmp_path, monkeypatch) -> None:
    path = tmp_path / "profile.xml"
    path.write_text("<dds><segment_size>524288</segment_size></dds>")
    monkeypatch.setenv(profile_variable(), str(path))
    found = row(bundle, "Fast DDS profile")
    assert not found.good
    assert environment.fastdds_profile().name in found.fix


def test_discovery_is_local_and_what_is_wider_is_warned_of(bundle, monkeypatch) -> None:
    for name in (environment.RANGE, environment.PEERS, environment.LOCALHOST_ONLY):
        monkeypatch.delenv(name, raising=False)
    found = row(bundle, "discovery")
    assert (found.good, found.warning) == (True, False)
    assert "this machine only" in found.found
    monkeypatch.setenv(environment.RANGE, "LOCALHOST")
    assert not row(bundle, "discovery").warning
    monkeypatch.setenv(environment.PEERS, "192.0.2.7")
    wider = row(bundle, "discovery")
    assert (wider.good, wider.warning) == (True, True)
    assert "192.0.2.7" in wider.found
    shown = CliRunner(env={"COLUMNS": "300"}).invoke(app, ["--bundle", str(bundle)]).output
    assert "may command the arm" in " ".join(shown.replace("│", " ").split())


def test_security_that_is_not_enforced_is_warned_of(bundle, monkeypatch) -> None:
    monkeypatch.delenv("ROS_SECURITY_ENABLE", raising=False)
    assert not row(bundle, "SROS 2").warning
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    assert row(bundle, "SROS 2").warning
    monkeypatch.setenv("ROS_SECURITY_STRATEGY", "Enforce")
    assert not row(bundle, "SROS 2").warning
