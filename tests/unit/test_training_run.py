import json
from pathlib import Path

import pytest
import torch

from loopwm_ros.bundle import load_bundle
from loopwm_ros.config import load_settings, share_dir
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError, ExportError
from loopwm_ros.training import checkpoint, parity
from loopwm_ros.training.distributed import Workers, workers
from loopwm_ros.training.export import export_bundle
from loopwm_ros.training.parity import check_parity, require_parity
from loopwm_ros.training.run import MODEL, load_run, train
from loopwm_ros.training.settings import CoreSettings, TrainSettings
from tests.synthetic import LinearKinematics, synthetic_dataset

ALONE = Workers(0, 1, torch.device("cpu"))
CONFIG = share_dir() / "config/train/tiny.yaml"


class Recorder:
    """Keeps what it hears; may stop a run as a power cut would."""

    def __init__(self, stop_at: tuple[str, int] | None = None) -> None:
        self.stop_at = stop_at
        self.losses: dict[str, dict[int, float]] = {"encoder": {}, "core": {}}

    def scalars(self, stage: str, step: int, values: dict[str, float]) -> None:
        if "train/loss" in values:
            self.losses[stage][step] = values["train/loss"]
        if self.stop_at == (stage, step):
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def settings() -> TrainSettings:
    return load_settings(CONFIG, TrainSettings)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return synthetic_dataset(episodes=6, frames=40)


@pytest.fixture(scope="module")
def run(settings: TrainSettings, data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    train(settings, data, out, ALONE, Recorder(), resume=False)
    return out


@pytest.mark.parametrize(("task", "tracked"), [("reach", 2), ("push", 2), ("clutter", 8)])
def test_shipped_settings_are_valid(task: str, tracked: int) -> None:
    shipped = load_settings(share_dir() / f"config/train/{task}.yaml", TrainSettings)
    assert shipped.core.tracked_loops == tracked
    last = shipped.rollout.horizon_every * shipped.rollout.horizon
    assert last < shipped.rollout.stage.steps, "the curriculum must reach its longest horizon"


def test_a_core_over_parts_is_trained_like_any_other(
    settings: TrainSettings, data: Dataset, tmp_path: Path
) -> None:
    changes = {"block": "dense", "inner_width": 16, "iterate": "parts", "draw_loops": "uniform"}
    core = CoreSettings.model_validate(
        {**settings.core.model_dump(), **changes, "mean_loops": 2, "max_loops": 3}
    )
    metrics = train(
        settings.model_copy(update={"chunk": 4, "core": core}),
        data,
        tmp_path,
        ALONE,
        Recorder(),
        resume=False,
    )
    assert 1 <= metrics["gated_loops_mean"] <= 3
    spec = load_run(tmp_path).description.spec
    assert (spec.iterate, spec.mean_loops, spec.max_loops, spec.chunk) == ("parts", 2, 3, 4)


def test_learning_reduces_the_error(settings: TrainSettings, data: Dataset, tmp_path: Path) -> None:
    stage = settings.rollout.stage.model_copy(update={"steps": 120})
    encoder = settings.encoder.model_copy(
        update={"stage": settings.encoder.stage.model_copy(update={"steps": 120})}
    )
    longer = settings.model_copy(
        update={"encoder": encoder, "rollout": settings.rollout.model_copy(update={"stage": stage})}
    )
    recorder = Recorder()
    train(longer, data, tmp_path / "run", ALONE, recorder, resume=False)
    for losses in recorder.losses.values():
        assert losses[120] < 0.5 * losses[20] or losses[120] < losses[20] - 1


def test_a_resumed_run_is_the_unbroken_one(
    settings: TrainSettings, data: Dataset, run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        train(settings, data, out, ALONE, Recorder(stop_at=("core", 20)), resume=False)
    assert not (out / MODEL).exists()
    train(settings, data, out, ALONE, Recorder(), resume=True)
    whole, _ = checkpoint.load_tensors(run / MODEL)
    broken, _ = checkpoint.load_tensors(out / MODEL)
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


def test_another_seed_gives_another_model(
    settings: TrainSettings, data: Dataset, run: Path, tmp_path: Path
) -> None:
    other = settings.model_copy(update={"seed": 1})
    train(other, data, tmp_path / "other", ALONE, Recorder(), resume=False)
    first, second = (checkpoint.load_tensors(path / MODEL)[0] for path in (run, tmp_path / "other"))
    assert not torch.equal(first["core.coda.project.weight"], second["core.coda.project.weight"])


def test_a_folder_is_not_overwritten(settings: TrainSettings, data: Dataset, run: Path) -> None:
    with pytest.raises(ConfigError, match="--resume"):
        train(settings, data, run, ALONE, Recorder(), resume=False)
    other = settings.model_copy(update={"seed": 5})
    with pytest.raises(ConfigError, match="other settings or data"):
        train(other, data, run, ALONE, Recorder(), resume=True)


def test_a_cut_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "core.safetensors"
    checkpoint.save_tensors(path, {"a": torch.zeros(4)}, {})
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ConfigError, match=r"core\.safetensors"):
        checkpoint.load_tensors(path)


def test_metrics_are_kept(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    for name in ("reading_ball_median_cm", "reading_tool_p95_cm", "open_loop_tool_k1_cm", "still_ball_k1_cm"):
        assert metrics[name] >= 0
    assert 1 <= metrics["gated_loops_mean"] <= 8


def test_an_export_computes_what_torch_does(run: Path, tmp_path: Path) -> None:
    exported = export_bundle(load_run(run), LinearKinematics(), tmp_path / "bundle")
    assert set(exported.errors) == {"encoder", "prelude", "block", "coda", "heads", "monitor", "rollout"}
    assert max(exported.errors.values()) < 1e-5
    manifest = load_bundle(tmp_path / "bundle").manifest
    assert manifest.parity == exported.errors
    assert manifest.provenance.data_sha256 == f"{0:064x}"
    assert manifest.provenance.config["name"] == "tiny"
    with pytest.raises(ExportError, match="exists already"):
        export_bundle(load_run(run), LinearKinematics(), tmp_path / "bundle")
    _check_altered_model(run, tmp_path / "bundle")
    _check_model_wrong_on_real_states_only(run, tmp_path / "bundle")


def _check_altered_model(run: Path, bundle: Path) -> None:
    """A model that differs a little from its graphs is found out."""
    trained = load_run(run)
    with torch.no_grad():
        trained.model.core.coda.project.bias += 0.01
    errors = check_parity(trained.model, load_bundle(bundle), trained.windows, LinearKinematics())
    assert errors["coda"] > 1e-3
    assert errors["rollout"] > 1e-5
    assert errors["block"] < 1e-5
    with pytest.raises(ExportError, match=r"coda 0\.01"):
        require_parity(errors)


class WrongWhenStatesAgree(torch.nn.Module):
    """Differs from `part` only for a batch of states that have much in common, as a rollout's have."""

    def __init__(self, part: torch.nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        common = state.mean(0).square().mean().sqrt()
        return self.part(state) + 0.01 * (common > 0.5)


def _check_model_wrong_on_real_states_only(run: Path, bundle: Path) -> None:
    trained = load_run(run)
    trained.model.monitor = WrongWhenStatesAgree(trained.model.monitor)
    errors = check_parity(trained.model, load_bundle(bundle), trained.windows, LinearKinematics())
    assert errors["monitor"] == pytest.approx(0.01, rel=1e-2)


def test_a_refused_export_leaves_nothing_behind(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parity, "LIMIT", 0.0)
    with pytest.raises(ExportError, match="was not kept"):
        export_bundle(load_run(run), LinearKinematics(), tmp_path / "models" / "bundle")
    assert list((tmp_path / "models").iterdir()) == []


def test_all_code_that_trained_a_run_is_named(
    settings: TrainSettings, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    monkeypatch.setattr("loopwm_ros.training.revision.git_revision", lambda: "a" * 40)
    with pytest.raises(KeyboardInterrupt):
        train(settings, data, out, ALONE, Recorder(stop_at=("core", 20)), resume=False)
    monkeypatch.setattr("loopwm_ros.training.revision.git_revision", lambda: "b" * 40)
    train(settings, data, out, ALONE, Recorder(), resume=True)
    assert load_run(out).git_revision == "a" * 40 + "+" + "b" * 40
    train(settings, data, out, ALONE, Recorder(), resume=True)
    exported = export_bundle(load_run(out), LinearKinematics(), tmp_path / "bundle")
    assert exported.bundle.manifest.provenance.git_revision == "a" * 40 + "+" + "b" * 40


def test_a_graph_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ExportError, match="heads nan"):
        require_parity({"heads": float("nan")})


def test_devices_are_checked() -> None:
    with pytest.raises(ConfigError, match="auto, cpu, cuda"), workers("gpu"):
        pass
    with pytest.raises(ConfigError, match="multiple of the 3"):
        Workers(0, 3, torch.device("cpu")).share(8)
