"""Arming by validation: only what was validated is armed, and every refusal says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from loopwm_ros.errors import ConfigError
from loopwm_ros.nodes import heartbeats
from loopwm_ros.nodes.qos import COMMAND
from loopwm_ros.nodes.safety import SafetyNode
from loopwm_ros.validation.certificate import checked, write_certificate
from tests.certificates import BUNDLE, certificate
from tests.ros.conftest import Bench
from tests.ros.test_safety import ARM, NAMED, Arm, faults

FAILED = checked("nominal.success", "success rate", 0.5, "at least", 0.9)


class Planner:
    """Says which bundle it has, as mpc does."""

    def __init__(self, bench: Bench, sha256: str) -> None:
        self.sha256, self.rate = sha256, "20"
        self._beat = bench.node.create_publisher(DiagnosticStatus, heartbeats.MPC_TOPIC, COMMAND)
        bench.node.create_timer(0.1, self._send)

    def _send(self) -> None:
        told = {heartbeats.BUNDLE: self.sha256, heartbeats.RATE: self.rate}
        values = [KeyValue(key=key, value=value) for key, value in told.items()]
        self._beat.publish(DiagnosticStatus(name="mpc", values=values))


def gated(bench: Bench, **settings: object) -> SafetyNode:
    chosen = [Parameter(name, value=value) for name, value in settings.items()]
    return bench.add(SafetyNode([NAMED, Parameter("need_validation", value=True), *chosen]))


def refusal(bench: Bench) -> str:
    answer = bench.call(SetBool, "/safety/arm", data=True)
    return "" if answer.success else answer.message


def test_without_a_validation_the_arm_is_not_armed(bench, tmp_path: Path) -> None:
    gated(bench)
    Arm(bench)
    assert "mpc is silent on /mpc/state" in refusal(bench)
    planner = Planner(bench, "")
    bench.until(lambda: "configure and activate it" in refusal(bench))
    planner.sha256 = BUNDLE
    bench.until(lambda: "no validation is given" in refusal(bench))


def test_only_a_passed_validation_of_this_very_bundle_and_arm_lets_it_be_armed(bench, tmp_path: Path) -> None:
    path = write_certificate(tmp_path / "validation.json", certificate(ARM))
    node = gated(bench, validation=str(path))
    Arm(bench)
    planner = Planner(bench, "0" * 64)
    bench.until(lambda: "validated was another bundle" in refusal(bench))
    planner.sha256 = BUNDLE
    bench.until(lambda: not refusal(bench))
    planner.sha256 = "0" * 64
    bench.until(lambda: faults(node))
    assert "mpc has changed to another bundle" in faults(node)


@pytest.mark.parametrize("rate", ["50", "", "fast"])
def test_a_validation_at_another_rate_of_commands_is_none(bench, tmp_path: Path, rate: str) -> None:
    path = write_certificate(tmp_path / "validation.json", certificate(ARM))
    node = gated(bench, validation=str(path))
    Arm(bench)
    planner = Planner(bench, BUNDLE)
    planner.rate = rate
    bench.until(lambda: "validated were 20 commands a second" in refusal(bench))
    planner.rate = "20"
    bench.until(lambda: not refusal(bench))
    planner.rate = "40"
    bench.until(lambda: "mpc has changed to 40 commands a second, from the validated 20" in faults(node))


def test_a_validation_cut_short_or_failed_is_refused(bench, tmp_path: Path) -> None:
    path = tmp_path / "validation.json"
    write_certificate(path, certificate(ARM, passed=False, checks=(FAILED,)))
    gated(bench, validation=str(path))
    Arm(bench)
    Planner(bench, BUNDLE)
    bench.until(lambda: "was not passed" in refusal(bench))
    path.write_text(path.read_text()[:200])
    assert "not valid JSON, perhaps cut short" in refusal(bench)
    path.unlink()
    assert "no validation at" in refusal(bench)


@pytest.mark.parametrize("other", ["shadow", "need_validation", "need_calibration"])
def test_auto_arm_and_what_arms_by_hand_contradict(bench, other: str) -> None:
    with pytest.raises(ConfigError, match="auto_arm is for simulation"):
        SafetyNode([NAMED, Parameter("auto_arm", value=True), Parameter(other, value=True)])
