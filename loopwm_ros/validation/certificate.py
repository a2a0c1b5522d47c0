"""What a validation found, as the robot reads it: `validation.json`, and a signature beside it.

Light on purpose: the safety node imports this, and neither simulator nor model with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from loopwm_ros.bundle import sha256_of
from loopwm_ros.config import ArmConfig, Settings
from loopwm_ros.config.outside import parse_json
from loopwm_ros.config.resources import find_resource
from loopwm_ros.errors import CertificateError
from loopwm_ros.validation.files import write_text_atomically
from loopwm_ros.validation.signature import read_bounded, sign, signature_path, signing_key, verify
from loopwm_ros.validation.statistics import Record

FILE = "validation.json"
FORMAT = 1
MAX_BYTES = 1 << 20  # of the file; a usual one has some 20 kB
SAME_RATE = 1e-4  # relative difference that is none
ROUNDING = 1e-9  # of measured values against limits

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Kind = Literal["at least", "at most"]
Share = Annotated[float, Field(ge=0, le=1)]


class Check(Record):
    """One measured value against its threshold. What was not measured (None) is not passed."""

    name: str
    what: str = Field(description="what is measured, and its unit, for a person")
    value: float | None
    kind: Kind
    limit: float
    passed: bool

    @model_validator(mode="after")
    def _consistent(self) -> Check:
        if self.passed != holds(self.value, self.kind, self.limit):
            raise ValueError(f"check '{self.name}' says passed={self.passed}, its numbers say the contrary")
        return self


class GapLimit(Record):
    """How far reality was from what the model had imagined, and how far it may be."""

    name: str = Field(description="tool, an object, or joints")
    unit: Literal["m", "rad"]
    step: int = Field(ge=1, description="transitions ahead")
    offset_s: float = Field(gt=0, description="the same in seconds")
    samples: int = Field(ge=1)
    p50: float = Field(ge=0)
    p99: float = Field(ge=0)
    limit: float = Field(ge=0, description="the monitor slows and stops the arm above it")


class PartResult(Record):
    """How the episodes of one part of the suite ended."""

    name: str
    episodes: int = Field(ge=0)
    success: int = Field(ge=0)
    success_rate: Share | None
    wilson95: tuple[Share, Share] | None
    precise: int | None = None
    precise_rate: Share | None = None
    precise_wilson95: tuple[Share, Share] | None = None


class Certificate(Record):
    """Contents of `validation.json`."""

    format: int = FORMAT
    bundle: str = Field(description="name of the model bundle")
    bundle_sha256: Sha256
    arm: str
    arm_sha256: Sha256 = Field(description="of the arm's settings and its URDF")
    task: str
    task_sha256: Sha256
    suite: str
    suite_sha256: Sha256
    control_rate: float = Field(
        20.0, gt=0, description="commands a second; files from before it was noted are of 20"
    )
    passed: bool = Field(description="the verdict: every check was passed")
    checks: tuple[Check, ...] = Field(min_length=1)
    parts: tuple[PartResult, ...]
    gaps: tuple[GapLimit, ...] = Field(description="the range of prediction gaps that validation saw")
    versions: dict[str, str]
    git_revision: str
    created: AwareDatetime = Field(description="ISO 8601, UTC")

    @model_validator(mode="after")
    def _consistent(self) -> Certificate:
        if self.passed != all(check.passed for check in self.checks):
            raise ValueError(f"says passed={self.passed}, its checks say the contrary")
        return self

    @property
    def failed(self) -> tuple[Check, ...]:
        """Checks that were not passed."""
        return tuple(check for check in self.checks if not check.passed)


def holds(value: float | None, kind: Kind, limit: float) -> bool:
    """Does a measured value keep a limit?"""
    if value is None:
        return False
    slack = ROUNDING * max(1.0, abs(limit))
    return value >= limit - slack if kind == "at least" else value <= limit + slack


def checked(name: str, what: str, value: float | None, kind: Kind, limit: float) -> Check:
    """A check of a measured value."""
    return Check(name=name, what=what, value=value, kind=kind, limit=limit, passed=holds(value, kind, limit))


def settings_sha256(settings: Settings) -> str:
    """Hash of validated settings: the same whatever their YAML file's layout, order and comments."""
    return sha256_of(_canonical(settings).encode())


def arm_sha256(arm: ArmConfig) -> str:
    """Hash of an arm's settings and of its URDF's bytes, wherever that file lies.

    Raises:
        ConfigError: there is no such URDF.
    """
    urdf = find_resource(arm.urdf).read_bytes()
    return hashlib.sha256(_canonical(arm, leave_out="urdf").encode() + b"\0" + urdf).hexdigest()


def _canonical(settings: Settings, leave_out: str = "") -> str:
    values = settings.model_dump(mode="json", exclude={leave_out} if leave_out else None)
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def write_certificate(path: Path, certificate: Certificate, key: Path | None = None) -> Path:
    """Write `validation.json` whole or not at all, and with a private `key` (PEM) its signature beside it.

    A signature that an earlier file had is removed.

    Raises:
        CertificateError: the key cannot be used; then nothing is written.
    """
    private = signing_key(key) if key is not None else None
    signature_path(path).unlink(missing_ok=True)
    write_text_atomically(path, certificate.model_dump_json(indent=2) + "\n")
    if private is not None:
        sign(path, private)
    return path


def load_certificate(path: Path, public_key: Path | None = None) -> Certificate:
    """Read `validation.json`; `path` may be its folder. With a `public_key` (PEM) it must be signed with it.

    Raises:
        CertificateError: missing, too large, truncated, of another format, no certificate at all, or not
            signed by the key's owner.
    """
    path, data = _read(path)
    if public_key is not None:
        verify(path, data, public_key)
    return _parsed(path, data)


def certificate_sha256(path: Path) -> str:
    """Hash of the file's bytes; `path` may be its folder.

    Raises:
        CertificateError: missing, or too large.
    """
    return sha256_of(_read(path)[1])


def _read(path: Path) -> tuple[Path, bytes]:
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise CertificateError(f"no validation at {path}; make one with: loopwm validate --out FOLDER")
    return path, read_bounded(path, MAX_BYTES)


def _parsed(path: Path, data: bytes) -> Certificate:
    try:
        values = parse_json(data)
    except ValueError as error:
        raise CertificateError(f"{path} is not valid JSON, perhaps cut short: {error}") from error
    found = values.get("format") if isinstance(values, dict) else None
    if found != FORMAT:
        raise CertificateError(f"{path} has format {found!r:.40}; this version reads format {FORMAT}")
    try:
        return Certificate.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise CertificateError(f"{path} is no validation result: {where}: {first['msg']}") from error


def shortcomings(
    certificate: Certificate,
    *,
    bundle_sha256: str,
    arm: ArmConfig,
    suite_sha256: str | None = None,
    task_sha256: str | None = None,
    control_rate: float | None = None,
) -> list[str]:
    """Every reason why a validation does not permit to arm; none: it does.

    What the robot does not know (None) is not compared.

    Raises:
        ConfigError: the arm's URDF is missing.
    """
    found: Sequence[tuple[str, str, str, str | None]] = (
        ("bundle", certificate.bundle, certificate.bundle_sha256, bundle_sha256),
        ("arm", certificate.arm, certificate.arm_sha256, arm_sha256(arm)),
        ("suite", certificate.suite, certificate.suite_sha256, suite_sha256),
        ("task", certificate.task, certificate.task_sha256, task_sha256),
    )
    reasons = [
        f"validated was another {kind}: '{name}' of SHA-256 {was[:12]}…, here is {now[:12]}…; "
        f"run loopwm validate with this {kind}, or start with the validated one"
        for kind, name, was, now in found
        if now is not None and was != now
    ]
    if control_rate is not None and not abs(control_rate / certificate.control_rate - 1.0) <= SAME_RATE:
        reasons.append(
            f"validated were {certificate.control_rate:g} commands a second, here are {control_rate:g}: set "
            f"control_period of mpc to {1.0 / certificate.control_rate:g} s, or run loopwm validate with a "
            "world of that control_rate"
        )
    reasons += [_unmet(check) for check in certificate.failed]
    if not certificate.gaps:
        reasons.append(
            "the validation holds no range of prediction gaps, so nothing can be watched in motion; "
            "run loopwm validate with a suite that has nominal or randomised episodes"
        )
    return reasons


def _unmet(check: Check) -> str:
    value = "not measured" if check.value is None else f"{check.value:.4g}"
    return (
        f"check '{check.name}' was not passed: {check.what}: {value}, required {check.kind} {check.limit:g}"
    )
