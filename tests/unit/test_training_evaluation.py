import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from loopwm_ros.cli.main import app
from loopwm_ros.config import load_settings, share_dir
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError, MismatchError
from loopwm_ros.training.distributed import Workers
from loopwm_ros.training.evaluation import loops, material, stability
from loopwm_ros.training.evaluation.evaluator import Evaluator
from loopwm_ros.training.evaluation.kept import Kept
from loopwm_ros.training.evaluation.material import Material
from loopwm_ros.training.evaluation.page import write_page
from loopwm_ros.training.evaluation.results import Evaluation
from loopwm_ros.training.evaluation.subjects import grouped, load_subject
from loopwm_ros.training.evaluation.tables import print_evaluation
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
    """Of prediction, stability and gain, with rollouts of 12 steps in place of a thousand."""
    out = tmp_path_factory.mktemp("evaluation")
    chosen = [argument for run in runs for argument in ("--run", str(run))]
    sections = [one for name in ("prediction", "stability", "gain") for one in ("--section", name)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(material, "read_data", part)
        patch.setattr(stability, "HORIZON", 12)
        patch.setattr(stability, "HORIZONS", (1, 2, 6, 12))
        patch.setattr(stability, "LATE", 2)
        data = ["--data", "one", "--data", "two", "--long", "far", "--readout", "train"]
        arguments = [*chosen, *data, *sections, "--device", "cpu", "--out", str(out)]
        result = CliRunner().invoke(app, ["evaluate", *arguments])
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
    assert found.parts[0].still["tool"][10].mean > found.parts[0].still["tool"][1].mean


def test_numbers_are_finite(evaluation: Path) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    json.loads((evaluation / "evaluation.json").read_text(), parse_constant=refuse)


def test_an_interval_over_seeds_is_over_their_mean(evaluation: Path, runs: list[Path]) -> None:
    found = Evaluation.model_validate_json((evaluation / "evaluation.json").read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(material, "read_data", part)
        shared = Material(Path("cache"), ALONE)
        one = Evaluator(shared, [Path("one")], [], ["prediction"], 1000, lambda _text: None)
        alone = [one.run([load_subject(run, torch.device("cpu"))]) for run in runs[:2]]
    means = [found.groups[0].prediction["one"]["tool"][5].mean for found in alone]
    assert found.groups[0].prediction["one"]["tool"][5].mean == pytest.approx(np.mean(means))
    assert "joints" not in alone[0].groups[0].prediction["one"]


def test_long_rollouts_are_followed(evaluation: Path) -> None:
    found = Evaluation.model_validate_json((evaluation / "evaluation.json").read_text())
    (far,) = found.groups[0].stability.values()
    assert sorted(far.curves["state_rms"]) == [1, 2, 6, 12]
    assert [one.seed for one in far.seeds] == [0, 1]
    assert all(one.largest_rms >= far.curves["state_rms"][12].low for one in far.seeds)
    growth = far.seeds[0].growth["tool"]
    assert growth is not None
    assert growth.low <= growth.mean <= growth.high


def test_each_run_has_its_gain(evaluation: Path) -> None:
    found = Evaluation.model_validate_json((evaluation / "evaluation.json").read_text())
    gains = found.groups[0].gain["two"]
    assert len(gains) == 2
    assert gains[0].transition.max > 0
    assert gains[0].iteration is not None
    assert gains[0].retained is not None
    assert 0 < gains[0].retained.max < 1


def test_iterations_are_looked_at_where_there_is_a_loop(runs: list[Path], tmp_path: Path) -> None:
    subject = load_subject(runs[0], torch.device("cpu"))
    flat = replace(subject, spec=subject.spec.model_copy(update={"max_loops": 1, "mean_loops": 1}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(material, "read_data", part)
        for name in ("GATES", "CHANGES", "READOUTS"):
            patch.setattr(loops, name, (0.5,))
        one = Evaluator(Material(Path("cache"), ALONE), [Path("one")], [], ["loops"], 9, lambda _text: None)
        evaluated = one.run([subject])
        (looped,) = evaluated.groups
        (passed,) = one.run([flat]).groups
    assert set(looped.looping) == {"one"}
    assert [made.loops for made in passed.transition["one"]] == ["1"]
    assert "free" in looped.transition["one"][0].errors
    html = write_page(tmp_path / "page.html", evaluated).read_text()
    assert "table of single transitions" in html
    assert "a: exit tests" in html
    assert not looped.prediction
    assert not passed.looping
    console = Console(record=True)
    print_evaluation(console, evaluated)
    assert not console.export_text().strip(), "there is no prediction to show"


def test_a_page_shows_it_all(evaluation: Path) -> None:
    html = (evaluation / "evaluation.html").read_text()
    assert "2 models of reach" in html
    tool_and_still_objects, state_objects_and_tool = 2, 3
    assert html.count("data:image/svg+xml;base64,") == 2 * tool_and_still_objects + state_objects_and_tool
    for words in ("nothing moves", "A thousand steps", "Gain of the update", "far"):
        assert words in html
    assert "http" not in html.replace("http://www.w3.org", "")


def test_tokens_are_worked_out_once(runs: list[Path]) -> None:
    subject = load_subject(runs[0], torch.device("cpu"))
    frames = np.array([[3, 5, 3], [7, 9, 11]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(material, "read_data", part)
        shared = Material(Path("cache"), ALONE)
        first = shared.tokens(Path("one"), subject, frames)
        patch.setattr(material, "encode", None)
        assert torch.equal(shared.tokens(Path("one"), subject, frames), first)
    assert first.shape == (2, 3, subject.spec.tokens, subject.spec.width)
    assert torch.equal(first[0, 0], first[0, 2])
    assert not torch.equal(first[0, 0], first[0, 1])


def test_what_is_finished_is_not_done_again(runs: list[Path], tmp_path: Path) -> None:
    subjects = [load_subject(run, torch.device("cpu")) for run in runs]
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(material, "read_data", part)
        shared = Material(Path("cache"), ALONE)
        one = Evaluator(shared, [Path("one")], [], ["prediction"], 9, said.append, Kept(tmp_path))
        first = one.run(subjects[:1])
        both = one.run([subjects[0], subjects[2]])
        assert said.count("a") == said.count("b") == 1
        assert both.groups[0] == first.groups[0]
        with torch.no_grad():
            next(subjects[0].model.heads.parameters()).add_(0.01)
        assert one.run(subjects[:1]).groups != first.groups
        assert said.count("a") == 2
        replace(one, windows=8).run(subjects[:1])
    assert said.count("a") == 3


def test_parts_have_names_of_their_own(runs: list[Path]) -> None:
    subject = load_subject(runs[0], torch.device("cpu"))
    folders = [Path("a/one"), Path("b/one")]
    one = Evaluator(Material(Path("cache"), ALONE), folders, [], ["prediction"], 9, lambda _text: None)
    with pytest.raises(ConfigError, match="two folders are named one"):
        one.run([subject])


def test_runs_of_two_tasks_are_not_compared(runs: list[Path]) -> None:
    first = load_subject(runs[0], torch.device("cpu"))
    other = load_subject(runs[1], torch.device("cpu"))
    moved = other.settings.model_copy(update={"task": "push"})
    with pytest.raises(MismatchError, match=r"'push'.*'reach'"):
        grouped([first, replace(other, settings=moved)])
