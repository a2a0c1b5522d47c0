"""`loopwm study`: many cores on one frozen encoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loopwm_ros.errors import ConfigError

if TYPE_CHECKING:
    from loopwm_ros.training.study.settings import StudySettings


def study(
    config: Annotated[Path, typer.Option(help="Study, e.g. config/study/contact.yaml.")],
    out: Annotated[Path, typer.Option(help="Folder of the study; what is finished there is kept.")],
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of recordings to train on; may be given again. Not needed once prepared."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(help="Run on the same recordings, whose encoder is taken; default: train one."),
    ] = None,
    arms: Annotated[str, typer.Option(help="Arms to train, with commas between; default: all.")] = "",
    cache: Annotated[Path, typer.Option(help="Where decoded recordings are kept.")] = Path("data/cache"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    time: Annotated[
        bool,
        typer.Option("--time", help="Time the arms' training steps, one arm after the other; train none."),
    ] = False,
) -> None:
    """Train an encoder once, then every arm on its tokens, all seeds of an arm side by side."""
    from loopwm_ros.config import load_settings
    from loopwm_ros.training.console import RunListener, read_data
    from loopwm_ros.training.distributed import workers
    from loopwm_ros.training.study.run import prepare, time_arms, train_arms, write_runs
    from loopwm_ros.training.study.settings import StudySettings

    if start is not None and not data:
        raise ConfigError("--start takes the encoder of a run on the same recordings: give them with --data")
    settings = load_settings(config, StudySettings)
    chosen = _arms(settings, arms)
    with workers(device, settings.base.threads) as these:
        if data:
            dataset = read_data(settings.base, data, cache, these)
            with RunListener(settings.base, out / "tensorboard", these.leads) as listener:
                prepare(settings, dataset, out, these, listener, start)
        if time:
            for name, seconds in time_arms(settings, out, chosen, these.device).items():
                typer.echo(f"{name}: {seconds * 1e3:.1f} ms a step")
            return
        train_arms(settings, out, chosen, these.device, _say)
    written = write_runs(settings, out, chosen)
    typer.echo(f"{len(written)} runs below {out / 'arms'}; next: loopwm evaluate --run RUN")


def _arms(settings: StudySettings, arms: str) -> list[str]:
    """Those that were asked for, each checked before hours are spent."""
    chosen = [name for name in arms.split(",") if name] or list(settings.arms)
    for name in chosen:
        settings.train_settings(name)
    return chosen


def _say(arm: str, step: int, metrics: dict[str, float]) -> None:
    errors = " ".join(
        f"{k.removeprefix('open_loop_')} {v:.2f}" for k, v in metrics.items() if "open_loop" in k
    )
    typer.echo(f"{arm} step {step}: {errors}")
