from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from loopwm_ros.config import load_settings, share_dir
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training import checkpoint, evaluate
from loopwm_ros.training.console import print_metrics
from loopwm_ros.training.distributed import Workers
from loopwm_ros.training.joint_stage import JointLoss, JointStage
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.rollout import RolloutLoss
from loopwm_ros.training.run import MODEL, describe, load_run, train
from loopwm_ros.training.settings import JointSettings, PolicySettings, TrainSettings
from loopwm_ros.training.stages import encoder_frames
from loopwm_ros.training.study.run import prepare, train_arms, write_runs
from loopwm_ros.training.study.settings import ArmSettings, StudySettings
from tests.synthetic import synthetic_dataset

ALONE = Workers(0, 1, torch.device("cpu"))
STAGE = {"steps": 20, "batch": 4, "learning_rate": 0.002, "warmup": 2, "evaluate_every": 10}
JOINT = JointSettings.model_validate({"stage": {**STAGE, "checkpoint_every": 10}})
POLICY = PolicySettings.model_validate(
    {"hidden": 8, "layers": 1, "history": 4, "imagined": 1, "hindsight": (2, 6), "stage": STAGE}
)


class Silent:
    """Stops a run after so many steps of stage joint, as a power cut would."""

    def __init__(self, stop_at: int = 0) -> None:
        self.stop_at = stop_at

    def scalars(self, stage: str, step: int, values: dict[str, float]) -> None:
        if stage == "joint" and step == self.stop_at and "train/loss" not in values:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def data() -> Dataset:
    return synthetic_dataset(episodes=6, frames=40)


@pytest.fixture(scope="module")
def frozen() -> TrainSettings:
    tiny = load_settings(share_dir() / "config/train/tiny.yaml", TrainSettings)
    rollout = tiny.rollout.model_copy(update={"horizon": 8})
    return tiny.model_copy(update={"chunk": 2, "rollout": rollout})


@pytest.fixture(scope="module")
def settings(frozen: TrainSettings) -> TrainSettings:
    return frozen.model_copy(update={"joint": JOINT})


@pytest.fixture(scope="module")
def base(frozen: TrainSettings, data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without the stage."""
    out = tmp_path_factory.mktemp("runs") / "frozen"
    train(frozen, data, out, ALONE, Silent(), resume=False)
    return out


@pytest.fixture(scope="module")
def run(settings: TrainSettings, data: Dataset, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with the stage added when it was finished."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    shutil.copytree(base, out)
    train(settings, data, out, ALONE, Silent(), resume=True)
    return out


def weights(run: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load_tensors(run / MODEL)[0]


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def stage_of(settings: TrainSettings, data: Dataset) -> tuple[JointStage, LoopWM, ModelSpec]:
    spec = describe(settings, data).spec
    torch.manual_seed(0)
    model = LoopWM(settings, spec)
    return JointStage(settings, spec, data, model), model, spec


def with_joint(settings: TrainSettings, **changes: float) -> TrainSettings:
    return settings.model_copy(update={"joint": JOINT.model_copy(update=changes)})


def test_a_window_of_images_has_the_loss_of_its_tokens(settings: TrainSettings, data: Dataset) -> None:
    stage, model, spec = stage_of(with_joint(settings, reading_weight=0.0), data)
    frames, read, window, context, start, loops, probed = stage.batch(0, 4, torch.Generator().manual_seed(0))
    with torch.no_grad():
        tokens = model.encoder(frames.images, frames.proprio)[0].unflatten(0, window.reward.shape)
        known = RolloutLoss(model, settings.rollout, settings.core)
        expected, _ = known(start, window._replace(tokens=tokens), context, loops, probed)
        total, parts = stage.loss(frames, read, window, context, start, loops, probed)
    torch.testing.assert_close(total, expected, rtol=1e-4, atol=1e-5)
    assert parts["reading"].isfinite()
    torch.testing.assert_close(frames.quantities, window.quantities.flatten(0, 1))
    assert len(read.images) == len(read.quantities) == 4 * context
    assert spec.chunk == 2


def test_only_observed_steps_teach_the_encoder(settings: TrainSettings, data: Dataset) -> None:
    stage, model, _ = stage_of(with_joint(settings, reading_weight=0.0), data)
    frames, read, *rest = stage.batch(0, 4, torch.Generator().manual_seed(0))
    images = frames.images.requires_grad_()
    stage.loss(frames._replace(images=images), read, *rest)[0].backward()
    assert images.grad is not None
    seen = len(read.images)
    assert (images.grad[:seen].flatten(1).abs().sum(1) > 0).all()
    assert not images.grad[seen:].any()
    assert model.encoder.embed[0].weight.grad.abs().sum() > 0
    assert model.core.prelude.join.weight.grad.abs().sum() > 0


def test_readings_learn_from_frames_that_no_window_has(settings: TrainSettings, data: Dataset) -> None:
    few = settings.encoder.model_copy(update={"frames_per_episode": 2})
    stage, _, _ = stage_of(settings.model_copy(update={"encoder": few}), data)
    train, _ = data.split(settings.held_out, settings.split_seed)
    drawn = {tuple(row) for row in data.labels[encoder_frames(data, train, 2)].tolist()}
    for seed in range(10):
        read = stage.batch(0, 4, torch.Generator().manual_seed(seed))[1]
        assert {tuple(row) for row in read.quantities.tolist()} <= drawn, "those of the encoder's own stage"


def test_its_weight_scales_the_reading_loss(settings: TrainSettings, data: Dataset) -> None:
    stage, model, _ = stage_of(with_joint(settings, reading_weight=0.0), data)
    batch = stage.batch(0, 4, torch.Generator().manual_seed(0))
    with torch.no_grad():
        without, parts = stage.loss(*batch)
        doubled, _ = JointLoss(model, with_joint(settings, reading_weight=2.0))(*batch)
    torch.testing.assert_close(doubled - without, 2 * parts["reading"])


def test_it_changes_encoder_and_core_and_is_compared_with_what_was_before(run: Path, base: Path) -> None:
    before, after = weights(base), weights(run)
    for part in ("encoder.embed.0.weight", "core.coda.project.weight", "monitor.weight"):
        assert not torch.equal(before[part], after[part])
    measured, frozen = (json.loads((path / "metrics.json").read_text()) for path in (run, base))
    assert {name.removeprefix("before_joint_") for name in measured} == set(frozen)
    for name, value in frozen.items():
        assert measured[f"before_joint_{name}"] == pytest.approx(value, rel=1e-3, abs=1e-4), name
    for name in ("reading_ball_median_cm", "open_loop_tool_k8_cm"):
        assert measured[name] != measured[f"before_joint_{name}"]


def test_its_metrics_are_those_of_the_model_it_leaves(
    run: Path, settings: TrainSettings, data: Dataset
) -> None:
    trained = load_run(run)
    at = data.frames(data.split(settings.held_out, settings.seed)[1])[: settings.evaluation_frames]
    again = evaluate.reading_metrics(trained.model, data, trained.description.spec, at)
    assert again["reading_tool_median_cm"] == pytest.approx(trained.metrics["reading_tool_median_cm"])


def test_a_cut_run_goes_on_exactly(
    settings: TrainSettings, data: Dataset, base: Path, run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "cut"
    shutil.copytree(base, out)
    with pytest.raises(KeyboardInterrupt):
        train(settings, data, out, ALONE, Silent(stop_at=20), resume=True)
    assert checkpoint.load_tensors(out / "joint.safetensors")[1]["step"] == 10
    train(settings, data, out, ALONE, Silent(), resume=True)
    assert same(out, run)
    assert (out / "metrics.json").read_text() == (run / "metrics.json").read_text()


def test_a_run_that_starts_from_another_needs_it_no_more(
    settings: TrainSettings, data: Dataset, base: Path, run: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "source", tmp_path / "started"
    shutil.copytree(base, source)
    with pytest.raises(KeyboardInterrupt):
        train(settings, data, out, ALONE, Silent(stop_at=20), resume=False, start=source)
    shutil.rmtree(source)
    train(settings, data, out, ALONE, Silent(), resume=True)
    assert same(out, run)
    assert not (out / "core.safetensors").exists()


def test_the_encoder_stays_as_it_is_at_rate_zero(
    settings: TrainSettings, data: Dataset, base: Path, tmp_path: Path
) -> None:
    train(with_joint(settings, encoder_rate=0.0), data, tmp_path / "out", ALONE, Silent(), False, base)
    before, after = weights(base), weights(tmp_path / "out")
    encoder = [name for name in before if name.startswith("encoder.")]
    assert all(torch.equal(before[name], after[name]) for name in encoder)
    assert not torch.equal(before["core.coda.project.weight"], after["core.coda.project.weight"])


def test_a_seed_of_a_study_is_trained_on_with_the_episodes_it_was_trained_on(
    frozen: TrainSettings, data: Dataset, tmp_path: Path
) -> None:
    study = StudySettings(base=frozen, curve_points=1, arms={"loop": ArmSettings(seeds=2)})
    prepare(study, data, tmp_path, ALONE, Silent())
    train_arms(study, tmp_path, ["loop"], ALONE.device, lambda *_: None)
    second = write_runs(study, tmp_path, ["loop"])[1]
    begun = load_run(second)
    assert (begun.settings.seed, begun.settings.split_seed) == (1, 0)
    assert describe(begun.settings, data) == begun.description
    ends = begun.settings.model_copy(update={"joint": JOINT})
    metrics = train(ends, data, tmp_path / "joint", ALONE, Silent(), False, second)
    assert metrics["before_joint_open_loop_tool_k8_cm"] > 0
    other = ends.model_copy(update={"held_out_seed": 1})
    with pytest.raises(ConfigError, match="other settings in split_seed"):
        train(other, data, tmp_path / "leak", ALONE, Silent(), False, second)
    assert not (tmp_path / "leak").exists()


def test_what_does_not_fit_is_refused(
    settings: TrainSettings, frozen: TrainSettings, data: Dataset, base: Path, run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="must have a section joint or policy"):
        train(frozen, data, out, ALONE, Silent(), False, base)
    wider = settings.model_copy(update={"core": settings.core.model_copy(update={"hidden": 32})})
    with pytest.raises(ConfigError, match="other settings in core"):
        train(wider, data, out, ALONE, Silent(), False, base)
    with pytest.raises(ConfigError, match="other data"):
        train(settings, synthetic_dataset(6, 40, seed=1), out, ALONE, Silent(), False, base)
    with pytest.raises(ConfigError, match="began without --start"):
        train(settings, data, run, ALONE, Silent(), True, base)
    assert not out.exists()


def test_a_policy_of_the_model_before_is_not_kept(
    settings: TrainSettings, frozen: TrainSettings, data: Dataset, base: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(base, out)
    cloned = frozen.model_copy(update={"policy": POLICY})
    train(cloned, data, out, ALONE, Silent(), resume=True)
    both = settings.model_copy(update={"policy": POLICY})
    with pytest.raises(ConfigError, match=f"--start {out}"):
        train(both, data, out, ALONE, Silent(), resume=True)
    train(both, data, tmp_path / "anew", ALONE, Silent(), False, out)
    first, second = weights(out), weights(tmp_path / "anew")
    assert first.keys() == second.keys()
    assert not torch.equal(first["encoder.embed.0.weight"], second["encoder.embed.0.weight"])


def test_both_columns_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    print_metrics({"before_joint_reading_ball": 2.0, "reading_ball": 1.5, "policy_mae": 0.25})
    rows = [line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["reading_ball", "2.000", "1.500"],
        ["policy_mae", "", "0.250"],
    ]
