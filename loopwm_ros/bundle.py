"""The model bundle: one directory with ONNX graphs, a manifest that says all about them, and its checksum.

Loading checks every hash, and `check_fit` refuses an arm, camera or period the model was not made for.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from loopwm_ros.config import ArmConfig, CameraConfig, RodConfig, Settings
from loopwm_ros.config.outside import parse_json, read_bounded
from loopwm_ros.errors import BundleError, MismatchError
from loopwm_ros.model_spec import ModelSpec

MANIFEST = "manifest.json"
CHECKSUM = "manifest.sha256"  # as `sha256sum` writes it
FORMAT = 1
GRAPHS = ("encoder", "prelude", "block", "coda", "heads", "monitor")
OPTIONAL_GRAPHS = ("policy", "step")  # step: prelude, block and coda in one
MAX_GRAPH = 2**28  # of one file [bytes]; ours have 0.5 MB. What follows bounds what a model may allocate
MAX_ROWS_UP = 4.0


class Tensor(Settings):
    """Name and shape of a graph's input or output; None is the batch axis."""

    name: str
    shape: tuple[int | None, ...]


class Graph(Settings):
    """One ONNX file of the bundle."""

    file: str = Field(pattern=r"^[A-Za-z0-9_.-]+\.onnx$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class Provenance(Settings):
    """Where a bundle comes from."""

    git_revision: str
    data_sha256: str
    created: str = Field(description="ISO 8601, UTC")
    versions: dict[str, str]
    metrics: dict[str, float]
    config: dict[str, Any] = Field(description="the training settings, whole")


class Manifest(Settings):
    """Contents of `manifest.json`."""

    format: int = FORMAT
    name: str
    arm: str
    task: str
    camera: CameraConfig
    rows_up: float = Field(
        1.0,
        ge=-MAX_ROWS_UP,
        le=MAX_ROWS_UP,
        description="by which the pictures of its training show all higher than `camera` says [px]; "
        "those of PyBullet: 1",
    )
    spec: ModelSpec
    graphs: dict[str, Graph]
    parity: dict[str, float] = Field(description="max abs error of each graph against torch")
    provenance: Provenance

    @property
    def rolled(self) -> tuple[str, ...]:
        """The graphs that imagining calls: where there is `step`, not the three that it is made of."""
        return ("step", "heads") if "step" in self.graphs else ("prelude", "block", "coda", "heads")

    @property
    def seen(self) -> CameraConfig:
        """The camera that the pictures of its training truly are of."""
        return self.camera.model_copy(update={"cy": self.camera.cy - self.rows_up})


@dataclass(frozen=True)
class Bundle:
    """A verified bundle on disk."""

    root: Path
    manifest: Manifest
    sha256: str  # of the manifest file, which holds the hashes of all graphs

    def graph(self, name: str) -> bytes:
        """The verified bytes of one graph (read anew and checked again)."""
        entry = self.manifest.graphs[name]
        return _verified(self.root / entry.file, entry.sha256)


def sha256_of(data: bytes) -> str:
    """Hex SHA-256."""
    return hashlib.sha256(data).hexdigest()


def _verified(path: Path, sha256: str) -> bytes:
    try:
        data = read_bounded(path, MAX_GRAPH)
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}; the bundle is incomplete") from error
    if sha256_of(data) != sha256:
        raise BundleError(
            f"{path} does not match its manifest (sha256 {sha256_of(data)[:12]}…, expected {sha256[:12]}…); "
            "the file was altered or cut short: copy or export the bundle again"
        )
    return data


def load_bundle(root: Path) -> Bundle:
    """Read and verify a bundle.

    Raises:
        BundleError: a file is missing, altered, truncated, or the manifest does not validate.
    """
    path = root / MANIFEST
    if not path.is_file():
        raise BundleError(f"{root} is not a model bundle: it has no {MANIFEST}")
    raw = _verified(path, _checksum(root))
    manifest = _parsed(path, raw)
    if missing := sorted(set(GRAPHS) - set(manifest.graphs)):
        raise BundleError(f"{path} lacks graphs: {', '.join(missing)}")
    if unknown := sorted(set(manifest.graphs) - {*GRAPHS, *OPTIONAL_GRAPHS}):
        raise BundleError(f"{path} has graphs that this version does not know: {', '.join(unknown)}")
    bundle = Bundle(root, manifest, sha256_of(raw))
    for name in manifest.graphs:
        bundle.graph(name)
    return bundle


def _checksum(root: Path) -> str:
    """SHA-256 that the manifest must have."""
    path = root / CHECKSUM
    try:
        text = read_bounded(path).decode(errors="replace")
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}; the bundle is incomplete") from error
    match = re.fullmatch(rf"([0-9a-f]{{64}})  {re.escape(MANIFEST)}\n", text)
    if match is None:
        raise BundleError(f"{path} was altered: expected one line of a SHA-256 and '{MANIFEST}'")
    return match[1]


def _parsed(path: Path, raw: bytes) -> Manifest:
    try:
        values = parse_json(raw)
        found = values.get("format") if isinstance(values, dict) else None
        if found != FORMAT:
            raise BundleError(f"{path} has format {found}; this version reads format {FORMAT}")
        return Manifest.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise BundleError(
            f"{path} is not valid: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from error
    except ValueError as error:
        raise BundleError(f"{path} is not valid JSON: {error}") from error


def write_manifest(root: Path, manifest: Manifest) -> Bundle:
    """Write the manifest and its checksum beside the graphs and load the result back."""
    data = (manifest.model_dump_json(indent=2) + "\n").encode()
    (root / MANIFEST).write_bytes(data)
    (root / CHECKSUM).write_bytes(f"{sha256_of(data)}  {MANIFEST}\n".encode())
    return load_bundle(root)


def _holding(rod: RodConfig | None) -> str:
    if rod is None:
        return "no rod on the tool frame"
    return f"a rod of {rod.length:g} m, radius {rod.radius:g} m, on the tool frame"


def check_fit(
    manifest: Manifest, arm: ArmConfig, camera: tuple[int, int] | None, control_period: float
) -> None:
    """Refuse an arm or camera size (width, height) that the model was not trained for.

    A `control_period` [s] is refused where an action does not last a whole number of them.

    A `camera` of None is not known yet; then each frame's size must be checked.

    Raises:
        MismatchError: naming what differs and what the bundle needs.
    """
    spec = manifest.spec
    if spec.joints != arm.joints:
        raise MismatchError(
            f"bundle '{manifest.name}' was trained for joints {list(spec.joints)}, "
            f"but arm '{arm.name}' has {list(arm.joints)} (names and order must be equal)"
        )
    if spec.tool_frame != arm.tool_frame:
        raise MismatchError(
            f"bundle '{manifest.name}' uses tool frame '{spec.tool_frame}', "
            f"arm '{arm.name}' '{arm.tool_frame}'"
        )
    if spec.rod != arm.rod:
        raise MismatchError(
            f"bundle '{manifest.name}' was trained with {_holding(spec.rod)}, "
            f"arm '{arm.name}' has {_holding(arm.rod)}"
        )
    expected = (manifest.camera.width, manifest.camera.height)
    if camera is not None and camera != expected:
        raise MismatchError(
            f"bundle '{manifest.name}' was trained for a {expected[0]}x{expected[1]} camera, "
            f"got {camera[0]}x{camera[1]}"
        )
    spec.commands_per_action(control_period)
