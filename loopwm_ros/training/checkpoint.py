"""Checkpoints in safetensors: weights, averaged weights and optimiser in one file, written whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from loopwm_ros.errors import ConfigError

STATE = "state"  # the metadata entry that holds the JSON state


def save_tensors(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write tensors and a JSON state; a reader sees the old file or the new one, never half of one."""
    partial = path.with_suffix(".partial")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(plain, partial, metadata={STATE: json.dumps(state)})
    partial.replace(path)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote.

    Raises:
        ConfigError: no such file, or not one of ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads((file.metadata() or {})[STATE])
            return {name: file.get_tensor(name) for name in file.keys()}, state  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ConfigError(
            f"cannot read the checkpoint {path}: {error}; train again or name another run"
        ) from error


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under `prefix.name`."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `prefix.name`, by `name`."""
    start = len(prefix) + 1
    return {name[start:]: tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")}


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's moments and counts as `parameter index.name`."""
    state = optimiser.state_dict()["state"]
    return {
        f"{index}.{name}": torch.as_tensor(value)
        for index, row in state.items()
        for name, value in row.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Undo `optimiser_tensors`."""
    full = optimiser.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({**full, "state": state})


def restore_module(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load weights into a module.

    Raises:
        ConfigError: the checkpoint is of a model of another shape.
    """
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ConfigError(
            f"{path} does not fit the model the settings describe; resume with the settings of that run, "
            f"or start in a new folder ({str(error).splitlines()[-1].strip()})"
        ) from error
