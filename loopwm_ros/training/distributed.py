"""One process or several: what `torchrun` set up, and which device this process has."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from loopwm_ros.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda")
READING_TIMEOUT = timedelta(hours=2)  # the others wait while one process decodes the recordings


@dataclass(frozen=True)
class Workers:
    """This process among those that train together."""

    rank: int
    count: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def share(self, batch: int) -> int:
        """This process' part of a batch.

        Raises:
            ConfigError: the batch cannot be shared evenly.
        """
        if batch % self.count:
            raise ConfigError(f"batch {batch} must be a multiple of the {self.count} processes")
        return batch // self.count

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module, averaging gradients over all processes if there are several."""
        if self.count == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices)

    def wait(self) -> None:
        """Let all processes arrive here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def workers(device: str, threads: int = 0) -> Iterator[Workers]:
    """Join the processes started by torchrun (none: alone) on `device`: auto, cpu or cuda.

    `threads`: CPU threads of this process; 0: as torch decides.

    Raises:
        ConfigError: CUDA asked for and not there, or no such device name.
    """
    if device not in DEVICES:
        raise ConfigError(f"unknown device '{device}'; valid: {', '.join(DEVICES)}")
    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise ConfigError("CUDA was asked for, but torch sees no CUDA device; use --device cpu or auto")
    if threads:
        torch.set_num_threads(threads)
    count, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    chosen = torch.device("cuda", local) if cuda and device != "cpu" else torch.device("cpu")
    if count == 1:
        yield Workers(0, 1, chosen)
        return
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    backend = "nccl" if chosen.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=READING_TIMEOUT)
    try:
        yield Workers(distributed.get_rank(), count, chosen)
        distributed.barrier()  # nobody leaves while another still sends
    finally:
        gc.collect()  # wrapped modules hold the group in cycles; at exit its threads would abort the process
        distributed.destroy_process_group()
