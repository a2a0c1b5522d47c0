import json
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from loopwm_ros.cli.main import app
from loopwm_ros.config import load_settings, share_dir
from loopwm_ros.errors import ConfigError
from loopwm_ros.training import checkpoint
from loopwm_ros.training.distributed import Workers
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.run import load_description, load_run
from loopwm_ros.training.schedule import average_decay, learning_rate
from loopwm_ros.training.settings import TrainSettings
from loopwm_ros.training.study.arm import _pieces
from loopwm_ros.training.study.bank import load_study_bank
from loopwm_ros.training.study.batches import Draws, Sampler
from loopwm_ros.training.study.run import make_arm, prepare, train_arms, write_runs
from loopwm_ros.training.study.settings import ArmSettings, StudySettings
from loopwm_ros.training.study.stacked import StackedTrainer, fresh_models
from loopwm_ros.training.windows import Window
from tests.synthetic import synthetic_dataset

TINY = load_settings(share_dir() / "config/train/tiny.yaml", TrainSettings)
ONE_PASS = {"mean_loops": 1, "max_loops": 1}
STUDY = StudySettings(
    base=TINY.model_copy(
        update={"chunk": 2, "held_out": 0.3, "rollout": TINY.rollout.model_copy(update={"horizon": 8})}
    ),
    curve_points=2,
    arms={
        "loop": ArmSettings(seeds=2, changes={"core": {"mean_loops": 2, "max_loops": 3}}),
        "gru": ArmSettings(seeds=1, changes={"core": {"kind": "gru", "inner_width": 8, **ONE_PASS}}),
        "gru-wide": ArmSettings(like="gru", seeds=1, changes={"core": {"inner_width": 16}}),
    },
)
CPU = torch.device("cpu")


class Silent:
    def scalars(self, stage: str, step: int, values: dict[str, float]) -> None:
        """Nobody listens."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("study")
    prepare(STUDY, synthetic_dataset(), out, Workers(0, 1, CPU), Silent())
    train_arms(STUDY, out, ["loop", "gru"], CPU, lambda *_: None)
    return out


def test_each_seed_is_a_run_of_its_own_on_the_same_encoder(folder: Path) -> None:
    runs = [load_run(path) for path in write_runs(STUDY, folder, list(STUDY.arms))]
    assert [(run.settings.name, run.settings.seed) for run in runs] == [("loop", 0), ("loop", 1), ("gru", 0)]
    first, second, gru = (run.model for run in runs)
    assert gru.core.prelude.inputs[0].out_features == 8
    for name, tensor in first.encoder.state_dict().items():
        assert torch.equal(tensor, second.encoder.state_dict()[name])
    assert not torch.allclose(first.core.prelude.join.weight, second.core.prelude.join.weight)
    assert runs[0].description.spec.chunk == 2
    assert gru.heads.quantity_mean.abs().sum() > 0


def test_the_encoder_of_a_run_is_taken_as_it_is(folder: Path, tmp_path: Path) -> None:
    data, workers = synthetic_dataset(), Workers(0, 1, CPU)
    core = STUDY.base.core.model_copy(update=ONE_PASS)
    another = STUDY.model_copy(update={"base": STUDY.base.model_copy(update={"core": core})})
    prepare(another, data, tmp_path / "taken", workers, Silent(), start=folder)
    trained, _ = checkpoint.load_tensors(folder / "model.safetensors")
    taken, _ = checkpoint.load_tensors(tmp_path / "taken" / "model.safetensors")
    assert trained.keys() == taken.keys()
    assert all(torch.equal(tensor, taken[name]) for name, tensor in trained.items())
    assert not (tmp_path / "taken" / "encoder.safetensors").exists()


@pytest.mark.parametrize(
    ("change", "data", "said"),
    [({"held_out": 0.4}, {}, "other settings in held_out"), ({}, {"seed": 1}, "trained on other data")],
)
def test_the_encoder_of_another_run_is_refused(
    folder: Path, tmp_path: Path, change: dict[str, float], data: dict[str, int], said: str
) -> None:
    study = STUDY.model_copy(update={"base": STUDY.base.model_copy(update=change)})
    with pytest.raises(ConfigError, match=said):
        prepare(study, synthetic_dataset(**data), tmp_path, Workers(0, 1, CPU), Silent(), start=folder)
    assert not (tmp_path / "bank.safetensors").exists()


def test_a_study_keeps_its_encoder(folder: Path, tmp_path: Path) -> None:
    data, workers, kept = synthetic_dataset(), Workers(0, 1, CPU), tmp_path / "kept"
    shutil.copytree(folder, kept)
    bank = (kept / "bank.safetensors").stat().st_mtime_ns
    prepare(STUDY, data, kept, workers, Silent())
    prepare(STUDY, data, kept, workers, Silent(), start=folder)
    assert (kept / "bank.safetensors").stat().st_mtime_ns == bank
    shutil.copytree(folder, tmp_path / "another")
    tensors, state = checkpoint.load_tensors(folder / "encoder.safetensors")
    moved = {name: t + 1 if name.startswith("average.encoder") else t for name, t in tensors.items()}
    checkpoint.save_tensors(tmp_path / "another" / "encoder.safetensors", moved, state)
    with pytest.raises(ConfigError, match=r"has tokens of another encoder than .*another"):
        prepare(STUDY, data, kept, workers, Silent(), start=tmp_path / "another")


def test_a_start_without_recordings_is_refused(folder: Path) -> None:
    words = ["study", "--config", "config/study/contact.yaml", "--out", str(folder), "--start", str(folder)]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, ConfigError)
    assert "give them with --data" in str(result.exception)


def test_an_encoder_that_is_not_finished_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "begun")
    tensors, state = checkpoint.load_tensors(folder / "encoder.safetensors")
    checkpoint.save_tensors(tmp_path / "begun" / "encoder.safetensors", tensors, {**state, "step": 1})
    with pytest.raises(ConfigError, match="of step 1 of"):
        prepare(
            STUDY,
            synthetic_dataset(),
            tmp_path / "out",
            Workers(0, 1, CPU),
            Silent(),
            start=tmp_path / "begun",
        )


def test_seeds_one_after_the_other_share_a_curve(folder: Path) -> None:
    curve = json.loads((folder / "arms/loop/curve.json").read_text())
    assert curve[-1]["step"] == TINY.rollout.stage.steps
    assert [len(point["metrics"]) for point in curve] == [2] * len(curve)
    first, second = (metrics["state_rms"] for metrics in curve[-1]["metrics"])
    assert first != second
    seconds = [point["seconds"] for point in curve]
    assert seconds == sorted(seconds)


def test_training_lowers_the_loss_of_every_seed_by_itself(folder: Path) -> None:
    bank = load_study_bank(folder / "bank.safetensors")
    arm = make_arm(STUDY, "gru", load_description(folder))
    starts = bank.starts(arm.spec, (), held_out=False).of(TINY.rollout.context + 4)
    losses, finals = [], []
    for count in (2, 1):  # the first seed alone, too: it takes another path, of the same arithmetic
        models = fresh_models(lambda: LoopWM(arm.settings, arm.spec), range(count))
        sampler = Sampler(bank.bank, bank.stride, 2, arm.settings.rollout, arm.settings.core, [])
        trainer = StackedTrainer(models, arm.settings, sampler)
        torch.manual_seed(0)
        trainer.run(1, starts, 2)
        losses.append(trainer.loss.clone())
        trainer.run(400, starts, 2)
        finals.append(trainer.loss.clone())
    assert (finals[0] < 0.7 * losses[0]).all()
    assert (finals[1] < 0.7 * losses[1]).all()
    assert not torch.allclose(*finals[0])


def test_seeds_that_step_over_parts_are_trained_side_by_side_as_alone(folder: Path) -> None:
    parts = {"block": "dense", "inner_width": 16, "iterate": "parts", "draw_loops": "fixed", "max_loops": 3}
    changes = {"chunk": 4, "core": {**parts, "mean_loops": 3}}
    arm = make_arm(
        STUDY.model_copy(update={"arms": {"parts": ArmSettings(changes=changes)}}),
        "parts",
        load_description(folder),
    )
    bank = load_study_bank(folder / "bank.safetensors")
    models = fresh_models(lambda: LoopWM(arm.settings, arm.spec), range(2))
    sampler = Sampler(bank.bank, bank.stride, 4, arm.settings.rollout, arm.settings.core, [])
    both = StackedTrainer(models, arm.settings, sampler)
    starts = bank.starts(arm.spec, (), held_out=False).of(TINY.rollout.context + 8)
    drawn = sampler.draw(starts, 2, 2, 5)
    together = both._losses(drawn)
    for seed in range(2):
        alone = StackedTrainer(
            fresh_models(lambda: LoopWM(arm.settings, arm.spec), [seed]), arm.settings, sampler
        )
        window = Window(*(part[:, seed : seed + 1] for part in drawn.window))
        one = Draws(drawn.start[seed : seed + 1], window, drawn.loops[seed : seed + 1], drawn.probed)
        assert torch.allclose(alone._losses(one)[0], together[seed], rtol=1e-4)


def test_an_evaluation_in_between_does_not_end_the_training_mode(folder: Path) -> None:
    bank = load_study_bank(folder / "bank.safetensors")
    arm = make_arm(STUDY, "gru", load_description(folder))
    models = fresh_models(lambda: LoopWM(arm.settings, arm.spec), [0])
    sampler = Sampler(bank.bank, bank.stride, 2, arm.settings.rollout, arm.settings.core, [])
    trainer = StackedTrainer(models, arm.settings, sampler)
    trainer.models()[0].eval()
    trainer.run(1, bank.starts(arm.spec, (), held_out=False).of(TINY.rollout.context + 4), 2)
    assert models[0].core.prelude.training  # the state-space model draws in this mode alone


def test_an_arm_of_other_settings_is_neither_kept_nor_relabelled(folder: Path) -> None:
    other = ArmSettings(seeds=1, changes={"core": {"kind": "gru", "inner_width": 24, **ONE_PASS}})
    study = STUDY.model_copy(update={"arms": {"gru": other}})
    with pytest.raises(ConfigError, match="arm 'gru' was trained with other settings"):
        train_arms(study, folder, ["gru"], CPU, lambda *_: None)
    with pytest.raises(ConfigError, match="arm 'gru' was trained with other settings"):
        write_runs(study, folder, ["gru"])


def test_a_finished_study_is_left_alone(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")}
    prepare(STUDY, synthetic_dataset(), folder, Workers(0, 1, CPU), Silent())
    train_arms(STUDY, folder, ["loop", "gru"], CPU, lambda *_: None)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_loops_are_drawn_as_in_the_usual_training(folder: Path) -> None:
    bank = load_study_bank(folder / "bank.safetensors").bank
    settings = TINY.core.model_copy(update={"mean_loops": 4, "max_loops": 8})
    drawn = Sampler(bank, 1, 2, TINY.rollout, settings, [])._drawn_loops(2, 3, 20000).float()
    assert drawn.min() == 1
    assert drawn.max() == 8
    assert drawn.mean().item() == pytest.approx(4.0, abs=0.08)
    assert (drawn == drawn[:, :1]).all()
    each = settings.model_copy(update={"draw_loops": "transition"})
    each_drawn = Sampler(bank, 1, 2, TINY.rollout, each, [])._drawn_loops(2, 3, 50)
    assert (each_drawn != each_drawn[:, :1]).any()
    alike = Sampler(bank, 1, 2, TINY.rollout, settings.model_copy(update={"draw_loops": "batch"}), [])
    assert len(alike._drawn_loops(1, 3, 50).unique()) == 1
    fixed = Sampler(bank, 1, 2, TINY.rollout, settings.model_copy(update={"draw_loops": "fixed"}), [])
    assert (fixed._drawn_loops(2, 3, 50) == 4).all()
    uniform = Sampler(bank, 1, 2, TINY.rollout, settings.model_copy(update={"draw_loops": "uniform"}), [])
    shares = torch.bincount(uniform._drawn_loops(2, 3, 20000).flatten()) / 120000
    assert torch.allclose(shares, torch.tensor([0.0, *[1 / 8] * 8]), atol=0.01)


def test_no_loss_is_put_on_what_cannot_be_predicted(folder: Path) -> None:
    bank = load_study_bank(folder / "bank.safetensors")
    starts = bank.starts(make_arm(STUDY, "gru", load_description(folder)).spec, (), held_out=False).of(6)
    drawn = Sampler(bank.bank, 1, 2, TINY.rollout, TINY.core, [3, 5]).draw(starts, 2, seeds=2, size=3)
    assert drawn.window.known.shape == (TINY.rollout.context + 2, 2, 3, 6)
    assert drawn.window.known.flatten(0, 2).all(0).tolist() == [True, True, True, False, True, False]


def test_the_horizon_grows_to_its_full_length_in_stages(folder: Path) -> None:
    changes = {
        "rollout": {
            "horizon": 12,
            "horizon_every": 10,
            "stage": {"steps": 400, "batch": 4, "learning_rate": 0.001},
        }
    }
    study = STUDY.model_copy(update={"arms": {"x": ArmSettings(changes=changes)}, "horizon_stages": 3})
    pieces = _pieces(make_arm(study, "x", load_description(folder)))
    assert [transitions for _, _, transitions in pieces] == sorted(t for _, _, t in pieces)
    assert {transitions for _, _, transitions in pieces} == {2, 4, 6}
    assert sum(steps for _, steps, _ in pieces) == 400
    assert [done for done, _, _ in pieces[1:]] == [done + steps for done, steps, _ in pieces[:-1]]


def test_an_arm_that_is_not_there_or_makes_no_sense_is_named(folder: Path) -> None:
    with pytest.raises(ConfigError, match="unknown arm 'gur'; valid: gru, gru-wide, loop"):
        STUDY.train_settings("gur")
    bad = STUDY.model_copy(update={"arms": {"x": ArmSettings(changes={"core": {"widht": 3}})}})
    with pytest.raises(ConfigError, match=r"arm 'x': core\.widht"):
        bad.train_settings("x")
    with pytest.raises(ConfigError, match="cannot read"):
        train_arms(STUDY, folder / "elsewhere", ["gru"], CPU, lambda *_: None)


def test_rate_and_average_follow_the_usual_schedule(folder: Path) -> None:
    bank = load_study_bank(folder / "bank.safetensors")
    arm = make_arm(STUDY, "gru", load_description(folder))
    models = fresh_models(lambda: LoopWM(arm.settings, arm.spec), [0])
    sampler = Sampler(bank.bank, bank.stride, 2, arm.settings.rollout, arm.settings.core, [])
    trainer, stage = StackedTrainer(models, arm.settings, sampler), arm.settings.rollout.stage
    starts = bank.starts(arm.spec, (), held_out=False).of(TINY.rollout.context + 4)
    for step in range(stage.steps + 1):  # one beyond the end: it stays as it was
        before = {name: weight.clone() for name, weight in trainer.average.items()}
        trainer.run(1, starts, 2)
        usual = min(step, stage.steps - 1)
        assert trainer._rate.item() == pytest.approx(learning_rate(usual, stage))
        kept = average_decay(usual, stage.ema)
        for name, weight in trainer.weights.items():
            expected = kept * before[name] + (1 - kept) * weight.detach()
            assert torch.allclose(trainer.average[name], expected, atol=1e-6)
