"""Joint positions read from embeddings: one linear read-out, the same for all models that share an encoder.

No head of ours reads joints. So that their prediction can be judged, a ridge regression from the encoder's
tokens to joint positions is fitted on training frames, and applied to the embedding that a model predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from loopwm_ros.data.dataset import Dataset
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training.evaluate import encode
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.windows import spaced
from loopwm_ros.types import F32, F64

FRAMES = 4000  # that it is fitted on, at most
RIDGE = 1e-4  # penalty, as a share of the mean variance of an input


@dataclass(frozen=True)
class JointReadout:
    """Affine map from embeddings to joint positions."""

    weight: F64  # (tokens * width, n)
    bias: F64  # [rad], (n,)

    def __call__(self, embedding: F32) -> F64:
        """Embeddings (..., tokens * width) to joint positions [rad], (..., n)."""
        return np.asarray(embedding, dtype=np.float64) @ self.weight + self.bias


def fit_joint_readout(model: LoopWM, data: Sequence[Dataset], spec: ModelSpec) -> JointReadout:
    """Fit on evenly spaced frames of all episodes of some data sets."""
    inputs, outputs = [], []
    for one in data:
        at = spaced(np.arange(len(one)), FRAMES // len(data))
        inputs.append(encode(model, one, spec, at)[0].flatten(1).numpy())
        outputs.append(one.proprio[at, : len(spec.joints)])
    return ridge(np.concatenate(inputs), np.concatenate(outputs))


def ridge(inputs: F32, outputs: F32) -> JointReadout:
    """Least squares with a small penalty on the weights, from (m, d) to (m, n)."""
    x, y = np.asarray(inputs, dtype=np.float64), np.asarray(outputs, dtype=np.float64)
    centre, mean = x.mean(0), y.mean(0)
    square = (x - centre).T @ (x - centre)
    penalty = RIDGE * np.trace(square) / len(square) * np.eye(len(square))
    weight = linalg.solve(square + penalty, (x - centre).T @ (y - mean), assume_a="pos")
    return JointReadout(weight, mean - centre @ weight)
