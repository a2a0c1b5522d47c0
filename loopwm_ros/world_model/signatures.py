"""Inputs and outputs of a bundle's graphs: what export must write and the runtime relies on."""

from __future__ import annotations

from loopwm_ros.bundle import Graph, Tensor
from loopwm_ros.errors import BundleError
from loopwm_ros.model_spec import ModelSpec

Signature = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
Shapes = dict[str, tuple[int | None, ...]]


def signatures(spec: ModelSpec) -> dict[str, Signature]:
    """(inputs, outputs) of each graph; all float32, the first axis is the batch."""
    core, quantities = (spec.tokens, spec.width), len(spec.quantities)

    def tensors(**shapes: tuple[int, ...]) -> tuple[Tensor, ...]:
        return tuple(Tensor(name=name, shape=(None, *shape)) for name, shape in shapes.items())

    return {
        "encoder": (
            tensors(image=(3, spec.image_height, spec.image_width), proprio=(len(spec.proprio_mean),)),
            tensors(tokens=core, reading=(quantities,), std=(quantities,)),
        ),
        "prelude": (tensors(state=core, tokens=core, action=(spec.action_input,)), tensors(injected=core)),
        "block": (tensors(state=core, injected=core), tensors(next=core, gate=())),
        "coda": (tensors(state=core), tensors(next=core)),
        "step": (
            tensors(state=core, tokens=core, action=(spec.action_input,)),
            tensors(next=core, gate=()),
        ),
        "heads": (
            tensors(state=core),
            tensors(quantities=(quantities,), reward=(), continuation=(), latent=(spec.tokens * spec.width,)),
        ),
        "monitor": (tensors(state=core), tensors(embedding=core)),
        "policy": (tensors(state=core, goal=(3,)), tensors(action=(spec.action_dim,))),
    }


def shapes(tensors: tuple[Tensor, ...]) -> Shapes:
    """Shape of each tensor by name."""
    return {tensor.name: tensor.shape for tensor in tensors}


def check_signature(name: str, graph: Graph, spec: ModelSpec) -> None:
    """Refuse a manifest whose graph has other inputs or outputs than its own spec implies.

    Raises:
        BundleError: naming the graph and both signatures.
    """
    inputs, outputs = signatures(spec)[name]
    for kind, found, expected in (("inputs", graph.inputs, inputs), ("outputs", graph.outputs, outputs)):
        compare(f"manifest of graph '{name}'", kind, shapes(found), shapes(expected))


def compare(where: str, kind: str, found: Shapes, expected: Shapes) -> None:
    """Raise BundleError unless names and shapes are equal."""
    if found != expected:
        raise BundleError(f"{where}: {kind} are {found}, expected {expected}; export the bundle again")
