"""The result of a validation: what is written, what is refused, what permits to arm."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from loopwm_ros.config import ArmConfig, load_arm, load_task
from loopwm_ros.config.resources import find_resource
from loopwm_ros.errors import CertificateError
from loopwm_ros.validation.certificate import (
    MAX_BYTES,
    Check,
    arm_sha256,
    checked,
    load_certificate,
    settings_sha256,
    shortcomings,
    write_certificate,
)
from loopwm_ros.validation.signature import signature_path
from tests.certificates import BUNDLE, SUITE, TASK, certificate

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results" / "validations"

HEAVY = ("pybullet", "mujoco", "onnxruntime", "torch", "rclpy", "matplotlib", "cv2", "pinocchio")


def keys(folder: Path, name: str = "key", encryption: KeySerializationEncryption | None = None) -> list[Path]:
    """A new private key and its public half, as PEM files."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}_public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return [private, public]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    made = certificate()
    path = write_certificate(tmp_path / "deep" / "validation.json", made)
    assert load_certificate(path) == made
    assert load_certificate(path.parent) == made


def test_the_robot_can_read_it_without_simulator_and_model() -> None:
    code = f"import sys, loopwm_ros.validation.certificate; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("value", "kind", "limit", "passed"),
    [
        (0.9, "at least", 0.9, True),
        (0.1 + 0.2, "at most", 0.3, True),
        (0.89, "at least", 0.9, False),
        (0.31, "at most", 0.3, False),
        (None, "at most", 0.3, False),
        (None, "at least", 0.0, False),
    ],
)
def test_a_check_judges_its_value(value: float | None, kind: str, limit: float, passed: bool) -> None:
    assert checked("n", "what", value, kind, limit).passed is passed
    with pytest.raises(ValidationError, match="contrary"):
        Check(name="n", what="what", value=value, kind=kind, limit=limit, passed=not passed)


def test_a_verdict_that_its_checks_contradict_is_refused(tmp_path: Path) -> None:
    path = write_certificate(tmp_path / "validation.json", certificate())
    values = json.loads(path.read_text())
    values["checks"][0] |= {"value": 0.5, "passed": False}
    path.write_text(json.dumps(values))
    with pytest.raises(CertificateError, match="says passed=True, its checks say the contrary"):
        load_certificate(path)


def test_each_unusable_file_has_its_own_message(tmp_path: Path) -> None:
    path = write_certificate(tmp_path / "validation.json", certificate())
    good = path.read_text()
    for text, message in (
        (good[: len(good) // 2], "not valid JSON, perhaps cut short"),
        ("", "not valid JSON, perhaps cut short"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "format None"),
        (good.replace('"format": 1', '"format": 2'), "format 2; this version reads format 1"),
        ('{"format": 1, "success": 3}', "no validation result: bundle: Field required"),
        (good.replace('"p99": 0.01', '"p99": 1e999'), "no validation result: gaps.0.p99"),
        (" " * (MAX_BYTES + 1), f"larger than {MAX_BYTES} bytes"),
    ):
        path.write_text(text)
        with pytest.raises(CertificateError, match=message) as caught:
            load_certificate(path)
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 500
    with pytest.raises(CertificateError, match="loopwm validate"):
        load_certificate(tmp_path / "none.json")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_refused_or_say_the_same(tmp_path: Path, data: st.DataObject) -> None:
    path = write_certificate(tmp_path / "validation.json", certificate())
    good = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(good) - 1))
    good[position] = data.draw(st.integers(0, 255))
    path.write_bytes(good)
    try:
        read = load_certificate(path)
    except CertificateError:
        return
    assert read.passed == all(check.passed for check in read.checks)


def test_a_signature_is_checked_and_needed_where_a_key_is_given(tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    _, stranger = keys(tmp_path, "stranger")
    path = write_certificate(tmp_path / "validation.json", certificate(), private)
    assert load_certificate(path, public) == certificate()
    with pytest.raises(CertificateError, match="altered after it was signed, or signed with another key"):
        load_certificate(path, stranger)
    path.write_text(path.read_text().replace('"panda_reach"', '"panda_reich"'))
    with pytest.raises(CertificateError, match="altered after it was signed"):
        load_certificate(path, public)
    write_certificate(path, certificate())
    assert load_certificate(path) == certificate()
    with pytest.raises(CertificateError, match="is not signed, but key"):
        load_certificate(path, public)


@pytest.mark.parametrize("data", [b"", b"x" * 63, b"x" * 64, b"x" * 1000])
def test_a_damaged_signature_is_refused(tmp_path: Path, data: bytes) -> None:
    private, public = keys(tmp_path)
    path = write_certificate(tmp_path / "validation.json", certificate(), private)
    signature_path(path).write_bytes(data)
    with pytest.raises(CertificateError, match=r"validation\.json\.sig"):
        load_certificate(path, public)


def test_the_signature_is_the_raw_one_of_the_files_bytes(tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    path = write_certificate(tmp_path / "validation.json", certificate(), private)
    key = load_pem_public_key(public.read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    key.verify(signature_path(path).read_bytes(), path.read_bytes())


def test_keys_that_cannot_be_used_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    locked, _ = keys(tmp_path, "locked", BestAvailableEncryption(b"secret"))
    other = tmp_path / "x25519.pem"
    other.write_bytes(
        X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    text = tmp_path / "text.pem"
    text.write_text("no key")
    path = tmp_path / "validation.json"
    for key, message in (
        (locked, "without passphrase"),
        (other, "expected an Ed25519 key"),
        (text, "openssl genpkey"),
        (tmp_path / "none.pem", "No such file"),
    ):
        with pytest.raises(CertificateError, match=message):
            write_certificate(path, certificate(), key)
        assert not path.exists()
    write_certificate(path, certificate())
    with pytest.raises(CertificateError, match="openssl pkey"):
        load_certificate(path, text)


def test_nothing_is_missing_for_what_was_validated() -> None:
    arm = load_arm("panda")
    assert shortcomings(certificate(arm), bundle_sha256=BUNDLE, arm=arm) == []
    assert (
        shortcomings(certificate(arm), bundle_sha256=BUNDLE, arm=arm, suite_sha256=SUITE, task_sha256=TASK)
        == []
    )


def test_every_reason_is_given() -> None:
    failed = checked("load.misses", "share of missed deadlines", 0.02, "at most", 0.01)
    unmeasured = checked("faults.stop", "time to stop [s]", None, "at most", 0.4)
    poor = certificate(passed=False, checks=(failed, unmeasured), gaps=())
    slower = load_arm("panda").model_copy(update={"velocity_scale": 0.3})
    reasons = shortcomings(
        poor,
        bundle_sha256="c" * 64,
        arm=slower,
        suite_sha256="6" * 64,
        task_sha256="8" * 64,
        control_rate=50.0,
    )
    for part in (
        "another bundle: 'panda_reach' of SHA-256 bbbbbbbbbbbb…, here is cccccccccccc…",
        "another arm: 'panda'",
        "another suite",
        "another task",
        "validated were 20 commands a second, here are 50: set control_period of mpc to 0.05 s",
        "check 'load.misses' was not passed: share of missed deadlines: 0.02, required at most 0.01",
        "check 'faults.stop' was not passed: time to stop [s]: not measured",
        "no range of prediction gaps",
    ):
        assert sum(part in reason for reason in reasons) == 1, part
    assert len(reasons) == 8


def test_the_arms_hash_is_of_its_settings_and_its_urdf(tmp_path: Path) -> None:
    arm = load_arm("panda")
    urdf = tmp_path / "panda.urdf"
    urdf.write_bytes(find_resource(arm.urdf).read_bytes())
    elsewhere = arm.model_copy(update={"urdf": str(urdf)})
    assert arm_sha256(elsewhere) == arm_sha256(arm)
    assert settings_sha256(elsewhere) != settings_sha256(arm)
    same = ArmConfig.model_validate(dict(reversed(arm.model_dump().items())))
    assert arm_sha256(same) == arm_sha256(arm)
    urdf.write_bytes(urdf.read_bytes() + b"<!-- -->")
    assert arm_sha256(elsewhere) != arm_sha256(arm)


@pytest.mark.parametrize("name", ["panda_reach", "panda_rod_push", "panda_rod_clutter"])
def test_the_certificates_that_were_written_are_of_the_tasks_that_are_shipped(name: str) -> None:
    written = load_certificate(RESULTS / f"{name}.json")
    assert written.task_sha256 == settings_sha256(load_task(written.task))


def test_a_task_that_looks_for_its_goal_is_another_one() -> None:
    task = load_task("clutter")
    assert task.look is not None
    assert settings_sha256(task) != settings_sha256(task.model_copy(update={"look": None}))
    assert type(task).model_validate_json(task.model_dump_json()) == task
