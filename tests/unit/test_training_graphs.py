"""Every kind of core as graphs, at any batch size, with chunks."""

from __future__ import annotations

import onnxruntime as ort
import pytest
import torch

from loopwm_ros.training.graphs import random_inputs, to_onnx
from loopwm_ros.training.model import make_core
from loopwm_ros.training.settings import CoreSettings
from loopwm_ros.world_model.signatures import signatures
from tests.fakes import make_spec

SIZES = {"tokens": 2, "width": 16, "heads": 2, "hidden": 16, "head_hidden": 16}
ONE_PASS = {"mean_loops": 1, "max_loops": 1, "inner_width": 32}
KINDS = {
    "looped": {},
    "selective": {"block": "selective"},
    "dense": {"block": "dense", "inner_width": 32},
    "fixed_depth": {"kind": "fixed_depth", **ONE_PASS, "layers": 2},
    "untied": {"kind": "fixed_depth", "block": "dense", **ONE_PASS, "layers": 2},
    "parts": {"block": "dense", "inner_width": 32, "iterate": "parts"},
    "untied parts": {"kind": "fixed_depth", "block": "dense", "iterate": "parts", **ONE_PASS, "layers": 3},
    "gru": {"kind": "gru", **ONE_PASS},
    "rssm": {"kind": "rssm", **ONE_PASS},
    "latent_mlp": {"kind": "latent_mlp", **ONE_PASS},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["prelude", "block", "coda"])
@torch.no_grad()
def test_a_core_is_the_same_as_a_graph_whatever_the_batch(kind: str, part: str) -> None:
    settings = CoreSettings.model_validate({**SIZES, **KINDS[kind]})
    spec = make_spec(tokens=2, width=16, chunk=4)
    torch.manual_seed(0)
    module = getattr(make_core(settings, spec.action_input, spec.chunk), part).eval()
    signature = signatures(spec)[part]
    session = ort.InferenceSession(to_onnx(module, signature), providers=["CPUExecutionProvider"])
    for batch in (1, 5):
        inputs = random_inputs(signature, batch, seed=batch)
        if part == "prelude":  # the first of a batch is observed, the others are imagined
            inputs[1][1:] = 0.0
        named = {entry.name: value.numpy() for entry, value in zip(signature[0], inputs, strict=True)}
        expected = module(*inputs)
        expected = (expected,) if isinstance(expected, torch.Tensor) else expected
        for wanted, got in zip(expected, session.run(None, named), strict=True):
            torch.testing.assert_close(torch.from_numpy(got), wanted, atol=1e-5, rtol=0)
