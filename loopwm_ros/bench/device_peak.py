"""What a GPU can do: the product of two large matrices, by the same runtime as the model's."""

from __future__ import annotations

import time

import numpy as np
import onnxruntime as ort

from loopwm_ros.world_model.device_rollout import open_on
from loopwm_ros.world_model.providers import Target
from loopwm_ros.world_model.unrolled import halved, load_onnx

SIZE = 4096  # of the matrices
CHAIN = 8  # products behind one another, so that starting them and copying the result count for little
REPEATS = 5


def device_peak_gflops(there: Target, half: bool, size: int = SIZE) -> float:
    """Of products of matrices (size, size) [1e9 operations a second], the best of several."""
    load_onnx("a GPU")
    from onnx import TensorProto, helper  # noqa: PLC0415

    nodes = [helper.make_node("MatMul", [f"x{at}", "weights"], [f"x{at + 1}"]) for at in range(CHAIN)]
    nodes.append(helper.make_node("ReduceMax", [f"x{CHAIN}"], ["largest"], keepdims=0))
    weights = np.eye(size, dtype=np.float32)
    given = helper.make_tensor_value_info("x0", TensorProto.FLOAT, (size, size))
    found = helper.make_tensor_value_info("largest", TensorProto.FLOAT, ())
    kept = helper.make_tensor("weights", TensorProto.FLOAT, (size, size), weights.tobytes(), raw=True)
    graph = helper.make_graph(nodes, f"products_{size}", [given], [found], [kept])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    data = model.SerializeToString()
    session = open_on(there, halved(data) if half else data, "a product of matrices")
    binding = session.io_binding()
    binding.bind_ortvalue_input("x0", ort.OrtValue.ortvalue_from_numpy(weights, there.device, 0))
    largest = ort.OrtValue.ortvalue_from_shape_and_type((), np.float32, there.device, 0)
    binding.bind_ortvalue_output("largest", largest)
    best = float("inf")
    for _ in range(REPEATS):
        began = time.perf_counter()
        session.run_with_iobinding(binding)
        largest.numpy()
        best = min(best, time.perf_counter() - began)
    return 2.0 * size**3 * CHAIN / best / 1e9
