import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from loopwm_ros.cli.main import app
from loopwm_ros.config import load_settings, share_dir
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import MismatchError
from loopwm_ros.training.distributed import Workers
from loopwm_ros.training.evaluation import recordings
from loopwm_ros.training.evaluation.results import Evaluation
from loopwm_ros.training.evaluation.subjects import grouped, load_subject
from loopwm_ros.training.run import train
from loopwm_ros.training.settings import TrainSettings
from tests.synthetic import synthetic_dataset

SETTINGS = load_settings(share_dir() / "config/train/tiny.yaml", TrainSettings)
ALONE = Workers(0, 1, torch.device("cpu"))
PARTS = {"one": 3, "two": 4}  # seed of each part


class Silent:
    def scalars(self, stage: str, step: int, values: dict[str, float]) -> None:
        pass


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two seeds, then one with another learning rate."""
    folder, data = tmp_path_factory.mktemp("runs"), synthetic_dataset(episodes=4, frames=40)
    other = SETTINGS.model_copy(update={"rollout": SETTINGS.rollout.model_copy(update={"unit": 0.02})})
    for name, settings in {"a_s0": SETTINGS, "a_s1": SETTINGS, "b": other}.items():
        named = settings.model_copy(update={"name": name, "seed": int(name == "a_s1")})
        train(named, data, folder / name, ALONE, Silent(), resume=False)
    return sorted(folder.iterdir())


def part(settings: TrainSettings, roots: list[Path], *_args: object) -> Dataset:
    """Recordings by the name of their folder, in place of the reader."""
    return synthetic_dataset(episodes=3, frames=60, seed=PARTS.get(roots[0].name, 0))


@pytest.fixture(scope="module")
def evaluation(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluation")
    chosen = [argument for run in runs for argument in ("--run", str(run))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recordings, "read_data", part)
        result = CliRunner().invoke(
            app,
            [
                *("evaluate", *chosen, "--data", "one", "--data", "two", "--readout", "train"),
                *("--device", "cpu", "--out", str(out)),
            ],
        )
    assert result.exit_code == 0, result.output
    assert "tool [cm]" in result.output
    return out


def test_a_file_says_what_was_predicted(evaluation: Path) -> None:
    found = Evaluation.model_validate_json((evaluation / "evaluation.json").read_text())
    assert [part.name for part in found.parts] == ["one", "two"]
    assert found.parts[0].data_sha256 != found.parts[1].data_sha256
    assert [group.label for group in found.groups] == ["a", "b"]
    assert [[run.seed for run in group.runs] for group in found.groups] == [[0, 1], [0]]
    tool = found.groups[0].prediction["one"]["tool"]
    assert sorted(tool) == [1, 5, 10], "horizons that the recordings reach"
    assert tool[1].low <= tool[1].mean <= tool[1].high
    assert tool[1].windows == 2 * found.parts[0].windows, "over both seeds"
    assert {"joints", "consistency", "embedding"} <= set(found.groups[0].prediction["one"])
    assert set(found.groups[1].looping) == {"one", "two"}
    assert found.parts[0].still["tool"][10].mean > found.parts[0].still["tool"][1].mean


def test_numbers_are_finite(evaluation: Path) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    json.loads((evaluation / "evaluation.json").read_text(), parse_constant=refuse)


def test_an_interval_over_seeds_is_over_their_mean(evaluation: Path, runs: list[Path]) -> None:
    found = Evaluation.model_validate_json((evaluation / "evaluation.json").read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recordings, "read_data", part)
        from loopwm_ros.training.evaluation.evaluator import Evaluator

        alone = [
            Evaluator(
                recordings.Recordings(Path("cache"), ALONE), [Path("one")], [], 1000, lambda _text: None
            ).run([load_subject(run, torch.device("cpu"))])
            for run in runs[:2]
        ]
    means = [one.groups[0].prediction["one"]["tool"][5].mean for one in alone]
    assert found.groups[0].prediction["one"]["tool"][5].mean == pytest.approx(np.mean(means))
    assert "joints" not in alone[0].groups[0].prediction["one"]


def test_runs_of_two_tasks_are_not_compared(runs: list[Path]) -> None:
    first = load_subject(runs[0], torch.device("cpu"))
    other = load_subject(runs[1], torch.device("cpu"))
    moved = other.settings.model_copy(update={"task": "push"})
    with pytest.raises(MismatchError, match=r"'push'.*'reach'"):
        grouped([first, replace(other, settings=moved)])
