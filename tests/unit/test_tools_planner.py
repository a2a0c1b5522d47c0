"""The section of docs/results.md on control cycles and deadlines."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from loopwm_ros.bench.results import NodeUsage, StartBench

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def section(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import planner_section

    return planner_section


@pytest.fixture
def root(section: ModuleType, tmp_path: Path) -> Path:
    shutil.copytree(ROOT / section.FOLDER, tmp_path / section.FOLDER)
    return tmp_path


def test_nothing_measured_is_no_section(section: ModuleType, tmp_path: Path) -> None:
    assert section.planner(tmp_path) == []


def test_every_row_and_every_run_is_shown_with_its_own_numbers(section: ModuleType, root: Path) -> None:
    folder = root / section.FOLDER
    bench = json.loads((folder / "cycles-push.json").read_text())
    bench["rows"][0]["times"]["median_ms"] = 12.345
    bench["ratio"] = dict.fromkeys(bench["ratio"], 77.0)
    (folder / "cycles-push.json").write_text(json.dumps(bench))
    for path in (*folder.glob("start-*.json"), *folder.glob("camera*.json")):
        path.unlink()
    lines = section.planner(root)
    files = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    runs = [run for made in files for run in made.get("runs", [])]
    nodes, topics = ([one for run in runs for one in run.get(what, [])] for what in ("nodes", "topics"))
    waits = [one for run in runs if run.get("steps") for one in (*run["steps"], "a picture")]
    rows = sum(2 + len(found) for found in (nodes, topics, waits) if found) + sum(
        len(made.get("rows", [])) + len(made.get("peers", [])) + len(made.get("runs", [])) for made in files
    )
    assert len([line for line in lines if line.startswith("| ")]) == rows + 2 * 3, "and three headers"
    assert sum("| 12.3 |" in line for line in lines) == 1
    assert sum("| 77.0 |" in line for line in lines) == len(bench["peers"])


def test_pictures_are_shown_with_what_they_were_measured_by(section: ModuleType, root: Path) -> None:
    rows = [dict(row) for row in json.loads((root / section.FOLDER / "camera.json").read_text())["rows"]]
    assert [row["transport"] for row in rows] == ["compressed", "raw"]
    text = "\n".join(section.planner(root))
    for row in rows:
        begins = f"| {row['transport']} | 640x480 | 30 | {row['read']:.1f} | {row['prepared']:.1f} |"
        assert f"{begins} {row['cores']:.1%} |" in text
    assert "loopwm bench camera --size 640x480 --rate 30 --seconds 20" in text


def test_rows_of_a_model_that_is_no_longer_shipped_say_so(section: ModuleType, root: Path) -> None:
    push = json.loads((root / section.FOLDER / "cycles-push.json").read_text())
    folder = root / "models" / "panda_rod_push"
    folder.mkdir(parents=True)
    (folder / "manifest.sha256").write_text(f"{push['bundle_sha256']}  manifest.json\n")
    lines = section.planner(root)
    mine = [line for line in lines if line.startswith("| panda_rod_push")]
    others = [line for line in lines if line.startswith("| panda_rod_clutter")]
    assert len(mine) == len(push["rows"])
    assert not any("an earlier one" in line for line in mine)
    assert others
    assert all("an earlier one" in line for line in others)


def test_deadlines_say_whether_they_are_of_the_model_that_is_shipped(section: ModuleType, root: Path) -> None:
    path = root / section.FOLDER / "deadline-stress-0.json"
    bench = json.loads(path.read_text())
    for run, sha256 in zip(bench["runs"], "ab", strict=True):
        run["summary"]["bundle_sha256"] = sha256 * 64
    path.write_text(json.dumps(bench))
    folder = root / "models" / "panda_rod_push"
    folder.mkdir(parents=True)
    (folder / "manifest.sha256").write_text(f"{'b' * 64}  manifest.json\n")
    lines = section.planner(root)
    begins = ("| 20 | as usual | 2 |", "| 50 | as usual | 2 |")
    ends = [line.rsplit("|", 2)[1].strip() for line in lines if line.startswith(begins)]
    assert ends == ["an earlier one", "as shipped"]


def test_late_commands_are_counted_of_all(section: ModuleType, root: Path) -> None:
    (path,) = (root / section.FOLDER).glob("deadline-stress-0.json")
    bench = json.loads(path.read_text())
    bench["runs"] = bench["runs"][:1]
    bench["runs"][0]["summary"] |= {"deadline_misses": 3, "cycles": 900}
    path.write_text(json.dumps(bench))
    lines = section.planner(root)
    assert any("| 3 of 900 |" in line for line in lines)
    command = f"loopwm bench deadline --task push --minutes {bench['minutes']:g} --rate 20 --stress"
    assert command in lines, "and the one rate is named"


def test_what_nodes_took_stands_beside_the_deadlines(section: ModuleType, root: Path) -> None:
    (path,) = (root / section.FOLDER).glob("deadline-stress-0.json")
    bench = json.loads(path.read_text())
    usage = NodeUsage(
        node="mpc", seconds=60, cores=0.3141, rss_mb=(250, 260), growth_mb_per_hour=-0.26, threads=5
    )
    bench["runs"][0]["nodes"] = [usage.model_dump()]
    path.write_text(json.dumps(bench))
    assert "| 20 | as usual | mpc | 31.4% | 260 | -0.3 |" in section.planner(root)


def test_a_cold_start_is_shown_step_by_step_with_its_slowest(section: ModuleType, root: Path) -> None:
    idle = NodeUsage(
        node="safety", seconds=10, cores=0.0461, rss_mb=(267, 268), growth_mb_per_hour=None, threads=9
    )
    bench = StartBench(
        cpu="a processor",
        cores=2,
        versions={},
        arm="panda_rod",
        task="push",
        bundle_sha256="b",
        starts=({"configured": 1.0, "first motion": 2.5}, {"configured": 1.2, "first motion": 2.0}),
        idle=(idle,),
    )
    (root / section.FOLDER / "start-push.json").write_text(bench.model_dump_json())
    lines = section.planner(root)
    assert "| task | times | configured | first motion |" in lines
    assert "| push | 2 | 1.10 / 1.20 | 2.25 / 2.50 |" in lines
    assert "| push | safety | 4.6% | 268 | – |" in lines
    assert "loopwm bench start --task push --times 2" in lines
