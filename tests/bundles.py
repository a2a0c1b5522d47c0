"""A small model bundle made without training: real ONNX graphs that see a red ball and move the tool.

Token 0 of a state holds tool and ball [m]. The encoder finds the ball as the centroid of red pixels, cut
with the height of its centre; the block contracts towards what the prelude injects, so more
iterations mean a smaller error, and the gate opens as that error falls under `TOLERANCE`. Of another
task, all that is not the tool is where the red thing is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from loopwm_ros.bundle import GRAPHS, Bundle, Graph, Manifest, Provenance, sha256_of, write_manifest
from loopwm_ros.config import ArmConfig, CameraConfig, TaskConfig, load_world
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.processing.camera import camera_pose
from loopwm_ros.world_model.signatures import signatures
from tests.fakes import make_spec

NAMES = ("tool_x", "tool_y", "tool_z", "ball_x", "ball_y", "ball_z")
BALL_HEIGHT = 0.03  # of the ball's centre [m]
REDNESS = 0.3  # red above the other channels, of 1
RED_PIXELS = 2.0  # fewer mean that the ball is not seen
CONTRACTION = 0.3  # of the error, each iteration
TOLERANCE = 0.002  # error at which the gate is half open [m]


class GraphBuilder:
    """Collects nodes and constants; `op` returns the name of the node's (first) output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: object, kind: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def op(self, kind: str, *inputs: str | float, out: str | None = None, **attributes: object) -> str:
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        output = out or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def cut(self, source: str, first: int, last: int, axis: int) -> str:
        start, end, axes = (self.constant([v], np.int64) for v in (first, last, axis))
        return self.op("Slice", source, start, end, axes)

    def reduce(self, kind: str, source: str, *axes: int, out: str | None = None, keep: int = 0) -> str:
        return self.op(kind, source, self.constant(axes, np.int64), out=out, keepdims=keep)

    def model(self, name: str, spec: ModelSpec) -> onnx.ModelProto:
        inputs, outputs = (
            [helper.make_tensor_value_info(t.name, TensorProto.FLOAT, ["batch", *t.shape[1:]]) for t in side]
            for side in signatures(spec)[name]
        )
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model, full_check=True)
        return model


def _ball(g: GraphBuilder, spec: ModelSpec, camera: CameraConfig) -> tuple[str, str]:
    """(ball (B, 3) [m], seen (B, 1) of 0 or 1) from the image."""
    colours = g.op("Add", g.op("Mul", "image", spec.image_std), spec.image_mean)
    red, green, blue = (g.cut(colours, i, i + 1, 1) for i in range(3))
    red = g.op("Relu", g.op("Sub", g.op("Sub", red, g.op("Max", green, blue)), REDNESS))
    mass = g.reduce("ReduceSum", red, 2, 3)
    scale = (spec.image_width / camera.width, spec.image_height / camera.height)
    columns = g.constant((np.arange(spec.image_width) + 0.5).reshape(1, 1, 1, -1) / scale[0])
    rows = g.constant((np.arange(spec.image_height) + 0.5).reshape(1, 1, -1, 1) / scale[1])
    safe = g.op("Add", mass, 1e-6)
    u, v = (g.op("Div", g.reduce("ReduceSum", g.op("Mul", red, c), 2, 3), safe) for c in (columns, rows))
    x = g.op("Div", g.op("Sub", u, camera.cx), camera.fx)
    y = g.op("Div", g.op("Sub", v, camera.cy), camera.fy)
    pose = camera_pose(camera)
    ray = g.op("Add", g.op("Mul", x, g.constant(pose[:3, 0])), g.op("Mul", y, g.constant(pose[:3, 1])))
    ray = g.op("Add", ray, g.constant(pose[:3, 2]))
    length = g.op("Div", float(BALL_HEIGHT - pose[2, 3]), g.cut(ray, 2, 3, 1))
    ball = g.op("Add", g.op("Mul", length, ray), g.constant(pose[:3, 3]))
    seen = g.op("Cast", g.op("Greater", mass, RED_PIXELS * REDNESS), to=TensorProto.FLOAT)
    return ball, seen


def _column(quantity: str) -> int:
    """Of a token: what is not the tool is taken to be the one red thing."""
    return NAMES.index(quantity if quantity in NAMES else f"ball_{quantity[-1]}")


def _encoder(g: GraphBuilder, spec: ModelSpec, camera: CameraConfig) -> None:
    ball, seen = _ball(g, spec, camera)
    proprio = g.op("Add", g.op("Mul", "proprio", g.constant(spec.proprio_std)), g.constant(spec.proprio_mean))
    tool = g.cut(proprio, len(spec.proprio_mean) - 3, len(spec.proprio_mean), 1)
    found = g.op("Concat", tool, ball, axis=1)
    order = g.constant([_column(q) for q in spec.quantities], np.int64)
    g.op("Gather", found, order, out="reading", axis=1)
    unseen = g.op("Mul", g.op("Sub", 1.0, seen), g.constant([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]))
    g.op("Gather", g.op("Add", unseen, 0.002), order, out="std", axis=1)
    # the 1 behind the quantities says that there is an observation: imagination passes zeros
    token = g.op("Concat", found, g.op("Add", g.op("Mul", seen, 0.0), 1.0), axis=1)
    pads = g.constant([0, 0, 0, 0, spec.tokens - 1, spec.width - len(NAMES) - 1], np.int64)
    g.op("Pad", g.op("Unsqueeze", token, g.constant([1], np.int64)), pads, out="tokens")


def _prelude(g: GraphBuilder, spec: ModelSpec) -> None:
    action = "action"
    if spec.chunk > 1:  # side by side, then their share, which a point that just moves has no need of
        several = g.cut("action", 0, spec.chunk * spec.action_dim, 1)
        split = g.constant([0, spec.chunk, spec.action_dim], np.int64)
        action = g.reduce("ReduceSum", g.op("Reshape", several, split), 1)
    moved = g.op("Mul", action, spec.max_tool_speed * spec.model_period)
    pads = g.constant([0, 0, 0, 0, spec.tokens - 1, spec.width - spec.action_dim], np.int64)
    moved = g.op("Pad", g.op("Unsqueeze", moved, g.constant([1], np.int64)), pads)
    flag = g.cut(g.cut("tokens", 0, 1, 1), len(NAMES), len(NAMES) + 1, 2)
    imagined = g.op("Add", "state", moved)
    kept = g.op("Mul", g.op("Sub", 1.0, flag), imagined)
    g.op("Add", kept, g.op("Mul", flag, "tokens"), out="injected")


def _block(g: GraphBuilder, spec: ModelSpec) -> None:
    error = g.op("Mul", g.op("Sub", "state", "injected"), CONTRACTION)
    g.op("Add", "injected", error, out="next")
    worst = g.reduce("ReduceMax", g.op("Abs", error), 1, 2)
    g.op("Sigmoid", g.op("Mul", g.op("Sub", TOLERANCE, worst), 2000.0), out="gate")


def _heads(g: GraphBuilder, spec: ModelSpec) -> None:
    flat = g.op("Reshape", "state", g.constant([0, -1], np.int64), out="latent")
    order = g.constant([_column(q) for q in spec.quantities], np.int64)
    g.op("Gather", flat, order, out="quantities", axis=1)
    gap = g.op("Sub", g.cut(flat, 0, 3, 1), g.cut(flat, 3, 6, 1))
    g.op("Neg", g.reduce("ReduceL2", gap, 1), out="reward")
    g.op("Sigmoid", g.op("Add", g.reduce("ReduceL2", gap, 1), 4.0), out="continuation")


def _policy(g: GraphBuilder, spec: ModelSpec) -> None:
    """Straight to the goal, each axis as fast as it may."""
    tool = g.cut(g.op("Reshape", "state", g.constant([0, -1], np.int64)), 0, 3, 1)
    wanted = g.op("Div", g.op("Sub", "goal", tool), spec.max_tool_speed * spec.model_period)
    g.op("Clip", g.cut(wanted, 0, spec.action_dim, 1), -1.0, 1.0, out="action")


def _graphs(spec: ModelSpec, camera: CameraConfig, policy: bool) -> dict[str, onnx.ModelProto]:
    builders = {name: GraphBuilder() for name in (*GRAPHS, *(["policy"] if policy else []))}
    if policy:
        _policy(builders["policy"], spec)
    _encoder(builders["encoder"], spec, camera)
    _prelude(builders["prelude"], spec)
    _block(builders["block"], spec)
    builders["coda"].op("Identity", "state", out="next")
    _heads(builders["heads"], spec)
    builders["monitor"].op("Mul", "state", 0.5, out="embedding")
    return {name: builder.model(name, spec) for name, builder in builders.items()}


def make_bundle(
    root: Path, arm: ArmConfig, task: TaskConfig, policy: bool = False, **spec_changes: object
) -> Bundle:
    """Write a bundle for this arm and task under `root` and load it."""
    world = load_world(task.world)
    values = {
        "image_width": arm.camera.width,
        "image_height": arm.camera.height,
        "joints": arm.joints,
        "proprio_mean": (0.1,) * (2 * len(arm.joints) + 3),
        "proprio_std": (2.0,) * (2 * len(arm.joints) + 3),
        "tool_frame": arm.tool_frame,
        "rod": arm.rod,
        "quantities": task.quantities,
        "action_dim": task.action_dim,
        "max_tool_speed": task.max_tool_speed,
        "control_period": 1.0 / world.control_rate,
    }
    spec = make_spec(**(values | spec_changes))
    root.mkdir(parents=True, exist_ok=True)
    graphs = _graphs(spec, arm.camera, policy)
    entries = {name: _write(root, name, model, spec) for name, model in graphs.items()}
    provenance = Provenance(
        git_revision="0" * 40,
        data_sha256="0" * 64,
        created="2026-01-01T00:00:00Z",
        versions={},
        metrics={},
        config={},
    )
    manifest = Manifest(
        name="kinematic", arm=arm.name, task=task.name, camera=arm.camera, spec=spec, graphs=entries,
        parity=dict.fromkeys(graphs, 0.0), provenance=provenance,
    )  # fmt: skip
    return write_manifest(root, manifest)


def _write(root: Path, name: str, model: onnx.ModelProto, spec: ModelSpec) -> Graph:
    data = model.SerializeToString()
    (root / f"{name}.onnx").write_bytes(data)
    inputs, outputs = signatures(spec)[name]
    return Graph(file=f"{name}.onnx", sha256=sha256_of(data), inputs=inputs, outputs=outputs)
