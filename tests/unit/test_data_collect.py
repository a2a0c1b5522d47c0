from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recordings import arm, task
from typer.testing import CliRunner

from loopwm_ros.config import load_world
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.data.collect import Collected, Collection, Collector, collect
from loopwm_ros.data.reader import read_episode
from loopwm_ros.errors import ConfigError


def collection(seed: int = 0, duration: float = 0.4) -> Collection:
    return Collection(arm=arm(), task=task(), world=load_world(task().world), seed=seed, duration=duration)


def contents(out: Path) -> dict[str, bytes]:
    return {str(f.relative_to(out)): f.read_bytes() for f in sorted(out.rglob("*")) if f.is_file()}


def test_an_episode_depends_on_seed_and_number_alone(tmp_path: Path) -> None:
    ignore = [].append
    collect(collection(), tmp_path / "all", 3, 1, ignore)
    Collector(collection()).record(2, tmp_path / "alone" / "000002")
    collect(collection(), tmp_path / "parallel", 3, 2, ignore)
    whole = contents(tmp_path / "all")
    assert contents(tmp_path / "parallel") == whole
    alone = {f"000002/{file.name}": file.read_bytes() for file in (tmp_path / "alone" / "000002").iterdir()}
    assert alone == {name: data for name, data in whole.items() if name.startswith("000002")}
    assert whole["000000/000000.mcap"] != whole["000001/000001.mcap"]


def test_a_stopped_collection_goes_on(tmp_path: Path) -> None:
    seen: list[Collected] = []
    collect(collection(), tmp_path, 1, 1, seen.append)
    before = contents(tmp_path)
    collect(collection(), tmp_path, 2, 1, seen.append)
    assert [(c.index, c.kept) for c in seen] == [(0, False), (0, True), (1, False)]
    assert before.items() <= contents(tmp_path).items()


def test_another_collection_is_not_mixed_in(tmp_path: Path) -> None:
    collect(collection(), tmp_path, 1, 1, [].append)
    with pytest.raises(ConfigError, match=r"another collection \(different: seed\)"):
        collect(collection(seed=1), tmp_path, 1, 1, [].append)


def test_a_failed_episode_leaves_nothing_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = Collector(collection())
    monkeypatch.setattr("loopwm_ros.data.recorder.LabelledRecorder.command", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        collector.record(0, tmp_path / "000000")
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_labels_are_the_truth_at_the_frames(tmp_path: Path) -> None:
    Collector(collection(duration=1.0)).record(0, tmp_path / "episode")
    episode = read_episode(tmp_path / "episode", arm())
    stamps = episode.frame_stamps
    assert len(stamps) >= 19
    np.testing.assert_allclose(episode.labels["ball"].stamps, stamps, atol=1e-9)
    np.testing.assert_allclose(episode.reward.stamps, stamps, atol=1e-9)
    positions = episode.joint_position.at(stamps)
    tools = np.stack([Kinematics(arm()).tool_position(q) for q in positions])
    distance = np.linalg.norm(tools - episode.labels["ball"].values, axis=1)
    radius = distance + episode.reward.values[:, 0]
    low, high = task().randomisation.ball_radius
    assert (radius > low - 1e-4).all()
    assert (radius < high + 1e-4).all()
    assert radius.std() < 1e-4
    assert episode.metadata["task"] == "reach"


def test_a_scripted_reach_gets_done(tmp_path: Path) -> None:
    reach = collection(duration=6.0).model_copy(update={"behaviours": {"reach": 1.0}})
    for seed in range(3):
        Collector(reach.model_copy(update={"seed": seed})).record(0, tmp_path / str(seed))
    done = [read_episode(tmp_path / str(seed), arm()).done.values.any() for seed in range(3)]
    assert any(done)


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    import typer

    from loopwm_ros.cli.collect import collect as command

    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, ["--out", str(tmp_path), "--episodes", "1", "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert "1 recorded, 0 were there" in result.output
