"""docs/your-arm.md, followed to the word with the arm on that page: every file, every command, in its order.

Sizes are the page's own variables, set small: the model learns nothing; the scripted controller succeeds.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from loopwm_ros.bundle import load_bundle
from loopwm_ros.validation.summary import read_summary

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(xml|yaml|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SMALL = {"EPISODES": "3", "RUNS": "1", "SETTINGS": "tiny", "REQUIRED": "0"}


def steps() -> list[tuple[str, str]]:
    """Kind and contents of each block up to where a robot is needed."""
    page = (ROOT / "docs" / "your-arm.md").read_text(encoding="utf-8")
    simulated, _, on_the_robot = page.partition("\n## On the robot\n")
    assert on_the_robot
    return BLOCK.findall(simulated)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the page expects it: the files of its blocks, the commands, and our settings."""
    place = tmp_path_factory.mktemp("page")
    (place / "my_arm").mkdir()
    for kind, text in steps():
        if kind != "sh":
            with (place / "my_arm" / {"xml": "arm.urdf", "yaml": "arm.yaml"}[kind]).open("a") as file:
                file.write(text)
    command = place / ".venv" / "bin" / "loopwm"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m loopwm_ros.cli.main "$@"\n')
    command.chmod(0o755)
    (place / "config").symlink_to(ROOT / "config")
    return place


def run(place: Path, script: str, **variables: str) -> str:
    environment = os.environ | SMALL | {"OMP_NUM_THREADS": "1"} | variables
    done = subprocess.run(
        ["bash", "-e"], input=script, cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_no_code_knows_the_arm_of_the_page() -> None:
    files = [p for f in ("loopwm_ros", "sim", "launch", "config") for p in (ROOT / f).rglob("*.*")]
    texts = [p for p in files if p.suffix in (".py", ".yaml", ".urdf", ".xml")]
    assert len(texts) > 100
    assert [p for p in texts if "my_arm" in p.read_text(encoding="utf-8")] == []


@pytest.mark.timeout(1200)  # a busy machine
def test_the_page_leads_from_a_urdf_to_a_model_that_runs(place: Path) -> None:
    commands = [text for kind, text in steps() if kind == "sh"]
    said = {text: run(place, text) for text in commands}
    (scripted,) = [output for text, output in said.items() if "--controller scripted" in text]
    assert "1 of 1 episodes succeeded" in scripted
    assert (place / "my_arm" / "view.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((place / "data" / "my_arm").glob("*/*.mcap"))) == int(SMALL["EPISODES"])
    bundle = load_bundle(place / "my_arm" / "bundle")
    summary = read_summary(place / "out" / "my_arm" / "summary.json")
    assert (summary.arm, summary.episodes, summary.bundle_sha256) == ("my_arm", 1, bundle.sha256)
    assert summary.plans > 5, "the episode ran to its end"
    assert (place / "out" / "my_arm" / "report.html").is_file()
