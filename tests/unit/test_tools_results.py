"""The pages made from results: what must be there, and what they say."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from loopwm_ros.config import load_arm, load_task
from loopwm_ros.control.assembly import planner_settings
from loopwm_ros.validation.certificate import certificate_sha256
from loopwm_ros.validation.failures import strip_path
from loopwm_ros.validation.summary import EpisodeResult, PlannerFacts, Summary, write_summary
from tests import episodes as samples
from tests.bundles import make_bundle

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
STRIPS = "docs/results/strips"
LEFT_OUT = "Left out, for it was not trained to predict them: goal, cube_turn."


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS))
    import render_results

    return render_results


def summary_of(options: str) -> Summary:
    """A run of these options in which one episode failed and one was not precise."""
    words = options.split()
    given = {w.removeprefix("--"): v for w, v in zip(words, [*words[1:], ""], strict=True) if w[:2] == "--"}
    push, kinds = given["task"] == "push", ("goal_moved", "camera_nudged")
    kind = "policy" if given.get("controller") == "policy" else "mppi"
    asked = planner_settings(load_task(given["task"]), kind, proposal=given.get("proposal", ""))
    planner = asked.model_dump(include=set(PlannerFacts.model_fields))
    planner["horizon"] = int(given.get("horizon", asked.horizon))
    episodes = []
    for i in range(int(given["episodes"])):
        result = samples.result(i, success=i != 1)
        changes: dict[str, object] = {"why": "stood still 6.0 cm from the goal" if i == 1 else None}
        if push and i > 1:
            changes["precise_time_s"] = 4.0
        if push and i == 0:
            changes["why"] = "cube reading off by 2.1 cm"
        if "disturb" in given:
            changes |= {"disturbance": kinds[i % 2], "disturbed_at_s": 1.5}
        episodes.append(EpisodeResult.model_validate(result.model_dump() | changes))
    return samples.summary(
        episodes,
        task=given["task"],
        arm=given["arm"],
        controller=given.get("controller", "mpc"),
        mode="lockstep" if "lockstep" in given else "realtime",
        seed=int(given["seed"]),
        loops_requested=given.get("loops", "auto"),
        world=given.get("world", "randomised"),
        goal=given.get("goal", "seen"),
        disturb=given.get("disturb", "none"),
        engine=given.get("engine", "bullet"),
        validation_sha256=certificate_sha256(ROOT / given["validation"]) if "validation" in given else None,
        workers=int(given.get("workers", "1")),
        blank_camera="blank-camera" in given,
        planner=planner,
        success_distance_m=0.05,
        precise_distance_m=0.02 if push else None,
    )


@pytest.fixture
def root(tmp_path: Path, tool: ModuleType) -> Path:
    """A repository with every run of one task, push, and its strips."""
    make_bundle(tmp_path / "models" / "panda_rod_push", load_arm("panda"), load_task("reach"))
    for name, run in tool.RUNS.items():
        if run.subject == ("push", "panda_rod"):
            made = summary_of(run.options)
            write_summary(tmp_path / tool.FOLDER / f"{name}.json", made)
            for episode in made.per_episode:
                if run.shown and not episode.success:
                    path = strip_path(tmp_path / STRIPS, name, episode.seed)
                    path.parent.mkdir(exist_ok=True)
                    path.touch()
    return tmp_path


def test_options_are_those_of_the_list(tool: ModuleType) -> None:
    for run in tool.RUNS.values():
        assert tool.options(summary_of(run.options)) == run.options


def test_options_name_the_stand_in(tool: ModuleType) -> None:
    asked = "--task reach --arm panda --episodes 3 --seed 1 --lockstep --engine mujoco"
    assert tool.options(summary_of(asked)) == asked


def test_a_task_is_shown_whole(tool: ModuleType, root: Path) -> None:
    pages = tool.render(root)
    text = pages[root / "docs" / "results.md"]
    assert "## Push with panda_rod" in text
    assert "Reach" not in text
    assert "| push | 199 of 200 | 97.2% to 99.9% | 2.0 | 198 of 200 | 96.4% to 99.7% | 4.0 |" in text
    half = int(tool.RUNS["push-disturbed"].options.split()[5]) // 2
    assert f"| push-disturbed | goal moved | {half} of {half} |" in text
    assert f"| push-disturbed | camera nudged | {half - 1} of {half} |" in text
    assert set(re.findall(r"loopwm sim .*/([\w-]+)\.json", text)) == {n for n in tool.RUNS if "push" in n}


def test_each_failure_is_on_the_page_of_failures(tool: ModuleType, root: Path) -> None:
    (page,) = [text for path, text in tool.render(root).items() if path.name == "failures-panda_rod-push.md"]
    shown = [name for name, run in tool.RUNS.items() if run.shown and run.subject == ("push", "panda_rod")]
    assert re.findall(r"^## (.*)$", page, re.M) == shown
    assert re.findall(r"!\[seed \d+\]\(results/strips/([\w-]+)-101\.webp\)", page) == shown
    assert page.count("Seed 101: stood still 6.0 cm from the goal.") == len(shown) - 1
    assert "Seed 101, camera nudged: stood still" in page
    assert page.count("| cube reading off by N cm | 1 |") == len(shown)


def test_points_that_are_not_predicted_have_no_error(tool: ModuleType) -> None:
    metrics = {"open_loop_cube_k1_cm": 0.6, "open_loop_goal_k1_cm": 17.0, "gated_cube_turn_k1_cm": 3.2}
    left_out = tool.unpredicted({"rollout": {"unpredicted": ["goal", "cube_turn"]}})
    text = tool.open_loop(metrics, left_out)
    assert text[2:] == ["| cube | fixed loops | 0.60 |", "", LEFT_OUT]
    assert len(tool.open_loop(metrics, tool.unpredicted({}))) == 2 + 3


def test_what_end_to_end_training_changed_is_shown(tool: ModuleType) -> None:
    metrics = {"open_loop_cube_k8_cm": 2.0, "open_loop_cube_k24_cm": 3.0, "open_loop_goal_k24_cm": 9.0}
    metrics |= {"reading_cube_median_cm": 0.4, "gated_cube_k24_cm": 3.1, "state_rms": 0.3}
    before = {f"before_joint_{name}": 2 * value for name, value in metrics.items()}
    rows = tool.end_to_end(metrics | before, ("goal",))[5:]
    assert rows == ["| open_loop_cube_k24_cm | 6 | 3 |", "| reading_cube_median_cm | 0.8 | 0.4 |"]
    assert tool.end_to_end(metrics, ()) == []
    assert [line for line in tool.other(metrics | before) if "before" in line] == []


def test_what_is_missing_is_named(tool: ModuleType, root: Path) -> None:
    (root / tool.FOLDER / "push-nominal.json").unlink()
    with pytest.raises(SystemExit, match=r'not measured: push-nominal; make results RESULTS="push-nominal"'):
        tool.render(root)


def test_a_missing_strip_is_named(tool: ModuleType, root: Path) -> None:
    strip_path(root / STRIPS, "push", 101).unlink()
    with pytest.raises(SystemExit, match=r"no push-101\.webp"):
        tool.render(root)


def test_a_run_made_by_another_command_is_refused(tool: ModuleType, root: Path) -> None:
    other = summary_of(tool.RUNS["push"].options.replace("--seed 1000", "--seed 7"))
    write_summary(root / tool.FOLDER / "push.json", other)
    with pytest.raises(SystemExit, match=r"push\.json was made with"):
        tool.render(root)


def test_a_file_of_no_run_is_refused(tool: ModuleType, root: Path) -> None:
    write_summary(root / tool.FOLDER / "mine.json", summary_of(tool.RUNS["push"].options))
    with pytest.raises(SystemExit, match=r"not in tools/result_runs\.py: mine"):
        tool.render(root)
