"""The model bundle: one directory with ONNX graphs, a manifest that says all about them, and its checksum.

Loading checks every hash, and `check_fit` refuses an arm, camera or period the model was not made for.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from loopwm_ros.config import ArmConfig, CameraConfig, RodConfig, Settings
from loopwm_ros.config.outside import parse_json, read_bounded
from loopwm_ros.errors import BundleError, MismatchError

MANIFEST = "manifest.json"
CHECKSUM = "manifest.sha256"  # as `sha256sum` writes it
FORMAT = 1
Iterate = Literal["block", "parts"]
GRAPHS = ("encoder", "prelude", "block", "coda", "heads", "monitor")
OPTIONAL_GRAPHS = ("policy", "step")  # step: prelude, block and coda in one
MAX_GRAPH = 2**28  # of one file [bytes]; ours have 0.5 MB. What follows bounds what a model may allocate
MAX_PIXELS = 2**20  # of the encoder's image; ours has 12 thousand
MAX_STATE = 2**16  # floats of one latent state, and dozens are imagined at once; ours has 256
MAX_ROWS_UP = 4.0
MAX_NAMES = 128  # joints, quantities


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


def _axes(point: str, axes: str) -> list[str]:
    """The quantities that say where a point is, along some axes."""
    return [f"{point}_{axis}" for axis in axes]


class ModelSpec(Settings):
    """What goes into the model and what comes out: the contract of training and robot alike."""

    image_width: int = Field(gt=0, le=MAX_PIXELS, description="after pre-processing [px]")
    image_height: int = Field(gt=0, le=MAX_PIXELS)
    image_mean: float
    image_std: float = Field(gt=0)
    joints: tuple[str, ...] = Field(max_length=MAX_NAMES)
    proprio_mean: tuple[float, ...] = Field(description="joint positions, velocities, tool x y z")
    proprio_std: tuple[Annotated[float, Field(gt=0)], ...]
    tool_frame: str
    rod: RodConfig | None = Field(None, description="on the tool frame; its tip is the tool point")
    quantities: tuple[str, ...] = Field(max_length=MAX_NAMES)
    unpredicted: tuple[str, ...] = Field((), max_length=MAX_NAMES, description="points: no future was taught")
    max_tool_speed: float = Field(gt=0, description="an action of 1.0 [m/s]")
    action_dim: int = Field(3, gt=0, le=MAX_NAMES)
    control_period: float = Field(gt=0, description="of the recordings it was trained on [s]")
    stride: int = Field(gt=0, le=1000, description="control periods per transition")
    chunk: int = Field(
        1, gt=0, le=64, description="actions that one imagined transition may span; observed ones span one"
    )
    tokens: int = Field(gt=0, le=MAX_STATE)
    width: int = Field(gt=0, le=MAX_STATE)
    max_loops: int = Field(gt=0, le=256)
    mean_loops: int = Field(gt=0, le=256, description="training mean of T")
    iterate: Iterate = Field("block", description="each time: the block again; parts: a part of the chunk")
    gate_threshold: float = Field(gt=0, le=1, description="tau: exit when the gate exceeds it")
    second_difference_threshold: float = Field(ge=0, description="exit below it; 0 switches it off")

    @property
    def model_period(self) -> float:
        """Duration of one action, which an observed transition spans [s]."""
        return self.control_period * self.stride

    def commands_per_action(self, control_period: float) -> int:
        """Commands that go out while one action lasts, `control_period` [s] apart.

        Raises:
            MismatchError: that is no whole number, or fewer than in the recordings.
        """
        count = round(self.model_period / control_period)
        if count < self.stride or abs(count * control_period - self.model_period) > 1e-6:
            raise MismatchError(
                f"a control period of {control_period * 1e3:g} ms does not go with the model: choose "
                f"{self.control_period * 1e3:g} ms, as in its recordings, or a shorter one of which its "
                f"actions of {self.model_period * 1e3:g} ms last a whole number"
            )
        return count

    @property
    def action_input(self) -> int:
        """Values that the prelude is told of the actions of one transition (`processing.states.chunked`)."""
        return self.action_dim if self.chunk == 1 else self.chunk * self.action_dim + 1

    @property
    def steps_whole(self) -> bool:
        """Whether every iteration calls prelude, block and coda, each once."""
        return self.iterate == "parts" or self.max_loops == 1

    def columns(self, point: str, axes: str = "xyz") -> list[int]:
        """Where x, y and z (or other `axes`) of a point, e.g. "tool", stand among the quantities.

        Raises:
            MismatchError: the model does not read them out.
        """
        names = _axes(point, axes)
        if missing := [name for name in names if name not in self.quantities]:
            raise MismatchError(
                f"no quantity {', '.join(missing)}; the model reads out {', '.join(self.quantities)}"
            )
        return [self.quantities.index(name) for name in names]

    @property
    def predicted(self) -> list[int]:
        """Columns of the quantities whose future the heads were taught."""
        points = [name.rpartition("_")[0] for name in self.quantities]
        return [column for column, point in enumerate(points) if point not in self.unpredicted]

    def locates(self, point: str, axes: str = "xyz") -> bool:
        """Whether the model reads out x, y and z (or other `axes`) of a point."""
        return set(_axes(point, axes)) <= set(self.quantities)

    @model_validator(mode="after")
    def _sizes(self) -> ModelSpec:
        if self.image_width * self.image_height > MAX_PIXELS or self.tokens * self.width > MAX_STATE:
            raise ValueError(
                f"an image of {self.image_width}x{self.image_height} or a state of {self.tokens}x"
                f"{self.width} is too large; expected at most {MAX_PIXELS} pixels and {MAX_STATE} values"
            )
        expected = 2 * len(self.joints) + 3
        for key in ("proprio_mean", "proprio_std"):
            if len(getattr(self, key)) != expected:
                raise ValueError(f"{key} has {len(getattr(self, key))} values, expected {expected}")
        return self


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
