import os
import socket
from pathlib import Path

import torch
from torch import multiprocessing

from loopwm_ros.config import load_settings, share_dir
from loopwm_ros.training import checkpoint
from loopwm_ros.training.distributed import Workers, workers
from loopwm_ros.training.run import MODEL, train
from loopwm_ros.training.settings import JointSettings, TrainSettings
from tests.synthetic import synthetic_dataset

PROCESSES = 2


class Silent:
    def scalars(self, stage: str, step: int, values: dict[str, float]) -> None:
        pass


def _short_settings() -> TrainSettings:
    settings = load_settings(share_dir() / "config/train/tiny.yaml", TrainSettings)
    steps = {"steps": 4}
    encoder = settings.encoder.model_copy(update={"stage": settings.encoder.stage.model_copy(update=steps)})
    rollout = settings.rollout.model_copy(update={"stage": settings.rollout.stage.model_copy(update=steps)})
    joint = JointSettings(stage=rollout.stage)
    return settings.model_copy(update={"encoder": encoder, "rollout": rollout, "joint": joint})


def _process(rank: int, port: int, out: Path) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(PROCESSES)}
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    data = synthetic_dataset(episodes=4, frames=40)
    with workers("cpu", threads=1) as these:
        assert (these.rank, these.count, these.leads) == (rank, PROCESSES, rank == 0)
        metrics = train(_short_settings(), data, out, these, Silent(), resume=False)
        assert bool(metrics) == these.leads
        _check_gradients_are_averaged(these)


def _check_gradients_are_averaged(these: Workers) -> None:
    """The gradient of a weight is its input, so the mean over ranks 0 and 1 is known."""
    linear = torch.nn.Linear(1, 1)
    wrapped = these.wrap(linear)
    wrapped(torch.full((1, 1), float(these.rank))).backward()
    assert float(linear.weight.grad) == 0.5


def test_two_processes_train_one_model(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(_process, (port, tmp_path / "run"), nprocs=PROCESSES)
    model, _ = checkpoint.load_tensors(tmp_path / "run" / MODEL)
    assert all(torch.isfinite(tensor).all() for tensor in model.values())
