"""What a person sees of training and export: progress, TensorBoard, tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from torch.utils.tensorboard import SummaryWriter

from loopwm_ros.config import load_arm, load_task
from loopwm_ros.data.cache import build_cache
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.training.continuing import BEFORE
from loopwm_ros.training.distributed import Workers
from loopwm_ros.training.export import Exported
from loopwm_ros.training.parity import LIMIT
from loopwm_ros.training.settings import TrainSettings

READERS = 2  # processes that decode recordings


class RunListener:
    """Shows a bar per stage and writes TensorBoard scalars; does nothing on processes that do not lead."""

    def __init__(self, settings: TrainSettings, folder: Path, leads: bool) -> None:
        self._totals = {"encoder": settings.encoder.stage.steps, "core": settings.rollout.stage.steps}
        if settings.joint is not None:
            self._totals["joint"] = settings.joint.stage.steps
        if settings.policy is not None:
            self._totals["policy"] = settings.policy.stage.steps
        self._writer = SummaryWriter(str(folder)) if leads else None
        self._bars: dict[str, TaskID] = {}
        columns = (
            TextColumn("{task.description:8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, TextColumn("{task.fields[note]}"), disable=not leads)

    def __enter__(self) -> RunListener:  # noqa: PYI034 (typing.Self is of Python 3.11)
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        if self._writer is not None:
            self._writer.close()

    def scalars(self, stage: str, step: int, values: dict[str, float]) -> None:
        """Losses or metrics at one step."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(f"{stage}/{name}", value, step)
        if stage not in self._bars:
            self._bars[stage] = self._progress.add_task(stage, total=self._totals[stage], note="")
        self._progress.update(self._bars[stage], completed=step)
        if "train/loss" in values:
            rate = f"{values['train/samples_per_second']:.0f} samples/s"
            self._progress.update(self._bars[stage], note=f"loss {values['train/loss']:.3f}  {rate}")


def read_data(settings: TrainSettings, roots: Sequence[Path], cache: Path, workers: Workers) -> Dataset:
    """The data set of some recordings; the leading process decodes what is new, the others wait for it.

    Raises:
        BagError: no recording can be used.
    """
    if not workers.leads:
        workers.wait()
    arm, task = load_arm(settings.arm), load_task(settings.task)
    size = (settings.image.width, settings.image.height)
    with Progress(disable=not workers.leads) as progress:
        bar = progress.add_task("reading recordings", total=None)

        def advance(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        data = build_cache(roots, arm, task, size, cache, READERS, advance)
    if workers.leads:
        workers.wait()
        for skipped in data.skipped:
            Console(stderr=True).print(f"skipped {skipped.path}: {skipped.reason}", style="yellow")
    return data


def print_metrics(metrics: dict[str, float]) -> None:
    """A table of metrics on held-out episodes; beside them what they were before stage joint, if it ran."""
    joint = any(name.startswith(BEFORE) for name in metrics)
    table = Table("held-out metric", *(["before joint"] if joint else []), "value")
    for name, value in metrics.items():
        if not name.startswith(BEFORE):
            before = metrics.get(f"{BEFORE}{name}")
            cells = ["" if before is None else f"{before:.3f}"] if joint else []
            table.add_row(name, *cells, f"{value:.3f}")
    Console().print(table)


def print_parity(exported: Exported) -> None:
    """A table of errors against torch."""
    table = Table("part", "max abs error", title=f"ONNX against torch (limit {LIMIT:g})")
    for name, error in exported.errors.items():
        table.add_row(name, f"{error:.1e}")
    Console().print(table)
    Console().print(f"bundle {exported.bundle.root}, sha256 {exported.bundle.sha256[:16]}…")
