"""Training that goes on from a bundle: its graphs hold every weight of the model that is read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from loopwm_ros.bundle import Bundle, load_bundle
from loopwm_ros.config import load_settings, share_dir
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.training import checkpoint
from loopwm_ros.training.distributed import Workers
from loopwm_ros.training.export import export_bundle
from loopwm_ros.training.from_bundle import model_of, settings_of
from loopwm_ros.training.run import MODEL, START, load_run, train
from loopwm_ros.training.settings import CoreSettings, JointSettings, TrainSettings
from tests.synthetic import LinearKinematics, synthetic_dataset

ALONE = Workers(0, 1, torch.device("cpu"))
STAGE = {
    "steps": 10,
    "batch": 4,
    "learning_rate": 0.002,
    "warmup": 2,
    "evaluate_every": 10,
    "checkpoint_every": 5,
}
JOINT = JointSettings.model_validate({"stage": STAGE})
PARTS = {"block": "dense", "inner_width": 24, "iterate": "parts", "draw_loops": "uniform"}


class Silent:
    def scalars(self, stage: str, step: int, values: dict[str, float]) -> None:
        pass


@pytest.fixture(scope="module")
def settings() -> TrainSettings:
    tiny = load_settings(share_dir() / "config/train/tiny.yaml", TrainSettings)
    core = CoreSettings.model_validate(tiny.core.model_dump() | PARTS)
    rollout = tiny.rollout.model_copy(update={"horizon": 8})
    return tiny.model_copy(update={"chunk": 4, "core": core, "rollout": rollout})


@pytest.fixture(scope="module")
def data() -> Dataset:
    return synthetic_dataset(episodes=6, frames=40)


@pytest.fixture(scope="module")
def run(settings: TrainSettings, data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "first"
    train(settings, data, out, ALONE, Silent(), resume=False)
    return out


@pytest.fixture(scope="module")
def bundle(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return export_bundle(load_run(run), LinearKinematics(), tmp_path_factory.mktemp("b") / "bundle").bundle


def test_every_weight_that_the_robot_has_is_read_back(run: Path, bundle: Bundle) -> None:
    before, after = load_run(run).model.state_dict(), model_of(bundle, settings_of(bundle)).state_dict()
    assert before.keys() == after.keys()
    for name, weight in before.items():
        torch.testing.assert_close(after[name], weight, rtol=1e-6, atol=1e-7, msg=name)


def test_a_run_goes_on_from_a_bundle_on_other_recordings(
    settings: TrainSettings, bundle: Bundle, tmp_path: Path
) -> None:
    out, other = tmp_path / "on", synthetic_dataset(episodes=8, frames=30, seed=7)
    more = settings.model_copy(update={"joint": JOINT})
    metrics = train(more, other, out, ALONE, Silent(), resume=False, start=bundle.root)
    begun, state = checkpoint.load_tensors(out / START)
    ended = checkpoint.load_tensors(out / MODEL)[0]
    assert state["run"] == bundle.manifest.name
    assert not torch.equal(begun["encoder.embed.0.weight"], ended["encoder.embed.0.weight"])
    again = load_run(out)
    assert again.description.data_sha256 == other.data_sha256
    assert again.description.spec.proprio_mean == bundle.manifest.spec.proprio_mean, "as the weights know it"
    torch.testing.assert_close(
        ended["encoder.quantity_mean"], model_of(bundle, settings_of(bundle)).encoder.quantity_mean
    )
    assert not [name for name in metrics if name.startswith("before_joint_before")]
    assert again.git_revision.split("+")[0] == bundle.manifest.provenance.git_revision
    (out / "metrics.json").unlink()
    assert train(more, other, out, ALONE, Silent(), resume=True) == metrics, "and it can be resumed"


def test_a_bundle_of_another_model_is_refused(
    settings: TrainSettings, data: Dataset, bundle: Bundle, tmp_path: Path
) -> None:
    wider = settings.core.model_copy(update={"inner_width": 32})
    other = settings.model_copy(update={"core": wider, "joint": JOINT})
    with pytest.raises(ConfigError, match="has other settings in core"):
        train(other, data, tmp_path / "other", ALONE, Silent(), resume=False, start=bundle.root)


def test_a_bundle_that_does_not_say_how_it_was_trained_is_refused(bundle: Bundle) -> None:
    silent = bundle.manifest.provenance.model_copy(update={"config": {"wheels": 4}})
    changed = bundle.manifest.model_copy(update={"provenance": silent})
    with pytest.raises(ConfigError, match="does not say how it was trained"):
        settings_of(replace(bundle, manifest=changed))


def test_weights_that_are_not_the_graphs_are_noticed(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopwm_ros.training.from_bundle._turned", lambda *_: None)
    with pytest.raises(ConfigError, match=r"graph '.*' holds no '.*weight' of shape .*: train from a run"):
        model_of(bundle, settings_of(bundle))


@pytest.mark.parametrize("name", ["panda_rod_clutter", "panda_rod_push"])
def test_a_shipped_bundle_is_read_back(name: str) -> None:
    shipped = load_bundle(share_dir() / "models" / name)
    model = model_of(shipped, settings_of(shipped))
    assert sum(parameter.numel() for parameter in model.encoder.parameters()) > 100_000
    assert model.policy is None, "a run clones it anew"
