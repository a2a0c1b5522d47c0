"""Floating-point operations of an ONNX graph: of products and convolutions, two for a multiply-add."""

from __future__ import annotations

import math

import onnx
from onnx import numpy_helper, shape_inference

UNKNOWN = ("Attention", "ConvTranspose", "Einsum", "GRU", "LSTM", "RNN")  # products that would be left out
Shapes = dict[str, tuple[int, ...]]


def graph_flops(data: bytes) -> int:
    """Of one row through a graph whose first axis is the batch.

    Raises:
        ValueError: a product's operands have no known shape, or a node has products of another kind.
    """
    model = onnx.load_model_from_string(data)
    del model.graph.value_info[:]  # shapes with names in place of numbers
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    shapes = _shapes(shape_inference.infer_shapes(model, data_prop=True))
    return sum(_node_flops(node, shapes) for node in model.graph.node)


def _shapes(model: onnx.ModelProto) -> Shapes:
    graph = model.graph
    found = {tensor.name: tuple(numpy_helper.to_array(tensor).shape) for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.HasField("shape"):
            found[value.name] = tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
    return found


def _node_flops(node: onnx.NodeProto, shapes: Shapes) -> int:
    if node.op_type in UNKNOWN or any(part.type == onnx.AttributeProto.GRAPH for part in node.attribute):
        raise ValueError(f"{node.op_type} '{node.name}': its operations cannot be counted")
    if node.op_type not in ("MatMul", "Gemm", "Conv"):
        return 0
    missing = [name for name in (*node.input[:2], node.output[0]) if not all(shapes.get(name) or (0,))]
    if missing:
        raise ValueError(f"{node.op_type} '{node.name}': no shape of {', '.join(missing)}")
    first, second, out = shapes[node.input[0]], shapes[node.input[1]], shapes[node.output[0]]
    if node.op_type == "Conv":
        summed = math.prod(second[1:])  # channels of a group, and the kernel
    elif node.op_type == "Gemm" and any(a.name == "transA" and a.i for a in node.attribute):
        summed = first[-2]
    else:
        summed = first[-1]
    return 2 * math.prod(out) * summed
