"""A whole rollout as one ONNX graph: every transition of a horizon, every iteration, every read-out.

A GPU computes such a graph without the host between any two of its nodes, and can replay it. All shapes are
fixed, and there is no early exit: where all candidates run side by side, one that ends early saves nothing.

The package onnx is imported where it is needed: only machines with a GPU have to have it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from loopwm_ros.bundle import Bundle
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.processing.states import spans

if TYPE_CHECKING:
    import onnx

STATE, ACTIONS, READOUTS, REWARD = "state", "actions", "readouts", "reward"


@dataclass(frozen=True)
class Extent:
    """How large a rollout is."""

    batch: int  # candidates
    horizon: int  # actions
    loops: int  # iterations of every transition
    steps: tuple[int, ...]  # actions after which the heads read, each the end of a transition


def unrolled_graph(bundle: Bundle, extent: Extent) -> bytes:
    """The graph of rollouts from one state.

    Inputs: `state` (1, tokens, width), `actions` (batch, horizon, action_dim). Outputs: `readouts` (batch,
    steps, quantities), and `reward` (batch,) after the last action.

    Raises:
        ConfigError: the package onnx is not installed.
    """
    onnx, manifest = load_onnx("a GPU"), bundle.manifest
    parts = {name: onnx.load_model_from_string(bundle.graph(name)) for name in manifest.rolled}
    # TensorRT keeps what it has built under the graph's name, whatever its weights and shapes are.
    name = f"rollout_{bundle.sha256[:16]}_{extent.batch}_{extent.horizon}_{extent.loops}"
    graph: bytes = _Unrolled(manifest.spec, parts, name).model(extent).SerializeToString()
    return graph


def load_onnx(why: str) -> ModuleType:
    """The package onnx, for whatever needs it.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import onnx  # noqa: PLC0415
    except ImportError:
        raise ConfigError(f"{why} needs the package onnx: pip install onnx") from None
    return onnx


def halved(graph: bytes) -> bytes:
    """The graph with weights and products in float16; inputs and outputs stay float32."""
    onnx = load_onnx("precision 'float16'")
    from onnxruntime.transformers import float16  # noqa: PLC0415  (imports much)

    model: Any = float16.convert_float_to_float16(onnx.load_model_from_string(graph), keep_io_types=True)
    made: bytes = model.SerializeToString()
    return made


class _Unrolled:
    """Appends the nodes of a bundle's graphs one behind the other; weights are there once."""

    def __init__(self, spec: ModelSpec, parts: dict[str, onnx.ModelProto], name: str) -> None:
        from onnx import helper  # noqa: PLC0415

        self._name = name
        self._spec, self._parts, self._helper = spec, parts, helper
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._count = itertools.count()
        for part, model in parts.items():
            for tensor in model.graph.initializer:
                kept = type(tensor)()
                kept.CopyFrom(tensor)
                kept.name = f"{part}/{tensor.name}"
                self._constants[kept.name] = kept

    def model(self, extent: Extent) -> onnx.ModelProto:
        """All of it."""
        spec, read, reward = self._spec, list[str](), ""
        state, unseen = self._beginning(extent.batch)
        for span in spans(spec, extent.horizon):
            state = self._transition(state, unseen, span, extent.loops)
            if span.stop in extent.steps:
                quantities, reward, *_ = self._apply("heads", state)
                read.append(self._node("Unsqueeze", quantities, self._integers([1])))
        self._node("Concat", *read, out=READOUTS, axis=1)
        self._node("Identity", reward, out=REWARD)
        inputs, outputs = self._ends(extent)
        graph = self._helper.make_graph(
            self._nodes, self._name, inputs, outputs, list(self._constants.values())
        )
        first = next(iter(self._parts.values()))
        return self._helper.make_model(graph, opset_imports=first.opset_import, ir_version=first.ir_version)

    def _ends(self, extent: Extent) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
        """Inputs and outputs."""
        helper, spec = self._helper, self._spec

        def of(name: str, *shape: int) -> onnx.ValueInfoProto:
            info: onnx.ValueInfoProto = helper.make_tensor_value_info(name, helper.TensorProto.FLOAT, shape)
            return info

        return (
            [
                of(STATE, 1, spec.tokens, spec.width),
                of(ACTIONS, extent.batch, extent.horizon, spec.action_dim),
            ],
            [
                of(READOUTS, extent.batch, len(extent.steps), len(spec.quantities)),
                of(REWARD, extent.batch),
            ],
        )

    def _beginning(self, batch: int) -> tuple[str, str]:
        """The state, and zeros in place of an observation, (batch, tokens, width) each."""
        shape = self._integers([batch, self._spec.tokens, self._spec.width])
        return self._node("Expand", STATE, shape), self._node("Expand", self._floats(0.0), shape)

    def _transition(self, state: str, unseen: str, span: slice, loops: int) -> str:
        if self._spec.steps_whole:
            count = span.stop - span.start
            parts = min(loops, count) if self._spec.iterate == "parts" else 1
            for t in range(parts):
                part = slice(span.start + count * t // parts, span.start + count * (t + 1) // parts)
                state = self._step(state, unseen, self._told(part))
            return state
        (injected,) = self._apply("prelude", state, unseen, self._told(span))
        for _ in range(loops):
            state, _ = self._apply("block", state, injected)
        return self._apply("coda", state)[0]

    def _step(self, state: str, unseen: str, told: str) -> str:
        if "step" in self._parts:
            return self._apply("step", state, unseen, told)[0]
        (injected,) = self._apply("prelude", state, unseen, told)
        following, _ = self._apply("block", state, injected)
        return self._apply("coda", following)[0]

    def _told(self, part: slice) -> str:
        """`processing.states.chunked` of these actions, (batch, action_input)."""
        spec, count = self._spec, part.stop - part.start
        taken = self._slice(ACTIONS, part.start, part.stop, axis=1)
        flat = self._node("Reshape", taken, self._integers([0, count * spec.action_dim]))
        if spec.chunk == 1:
            return flat
        missing = (spec.chunk - count) * spec.action_dim
        flat = self._node("Pad", flat, self._integers([0, 0, 0, missing]), self._floats(0.0))
        return self._node("Pad", flat, self._integers([0, 0, 0, 1]), self._floats(count / spec.chunk))

    def _apply(self, name: str, *inputs: str) -> list[str]:
        """The names of its outputs."""
        graph, prefix = self._parts[name].graph, f"{name}{next(self._count)}"
        known = {value.name: given for value, given in zip(graph.input, inputs, strict=True)}
        known |= {tensor.name: f"{name}/{tensor.name}" for tensor in graph.initializer} | {"": ""}

        def renamed(edge: str) -> str:
            return known.get(edge, f"{prefix}/{edge}")

        for node in graph.node:
            copy = type(node)()
            copy.CopyFrom(node)
            copy.name = node.name and f"{prefix}/{node.name}"
            copy.input[:], copy.output[:] = map(renamed, node.input), map(renamed, node.output)
            self._nodes.append(copy)
        return [renamed(value.name) for value in graph.output]

    def _slice(self, edge: str, begin: int, end: int, axis: int) -> str:
        return self._node("Slice", edge, *(self._integers([value]) for value in (begin, end, axis)))

    def _node(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:  # noqa: ANN401
        out = out or f"{kind}{next(self._count)}"
        self._nodes.append(
            self._helper.make_node(kind, list(inputs), [out], name=f"{out}/node", **attributes)
        )
        return out

    def _integers(self, values: list[int]) -> str:
        return self._constant(np.array(values, dtype=np.int64))

    def _floats(self, value: float) -> str:
        return self._constant(np.array(value, dtype=np.float32))

    def _constant(self, values: np.ndarray[Any, Any]) -> str:
        from onnx import numpy_helper  # noqa: PLC0415

        name = f"constant {values.tolist()} {values.dtype}"
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(values, name)
        return name
