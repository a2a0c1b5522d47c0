"""Documents say what is there: numbers from committed results, links and commands that exist."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
COMMAND = re.compile(r"^(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?loopwm (\S+)(.*)$", re.MULTILINE)
MAKE = re.compile(r"`make ([a-z-]+)")
IDENTIFIER = [p.relative_to(ROOT).as_posix() for p in PAGES]


def _code(page: Path) -> str:
    blocks = re.findall(r"```(?:sh|bash|console)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return "\n".join(blocks).replace("\\\n", " ")


@pytest.mark.parametrize("script", ["render_results.py", "render_parameters.py"])
def test_made_pages_are_up_to_date(script: str) -> None:
    subprocess.run([sys.executable, f"tools/{script}", "--check"], cwd=ROOT, check=True)


def test_film_strips_stay_small() -> None:
    strips = list((ROOT / "docs/results/strips").glob("*"))
    assert sum(path.stat().st_size for path in strips) < 500_000


@pytest.mark.parametrize("page", PAGES, ids=IDENTIFIER)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [t for t in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in t]
    assert [t for t in targets if not (page.parent / t).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=IDENTIFIER)
def test_commands_and_options_exist(page: Path) -> None:
    from typer.main import get_command

    from loopwm_ros.cli.main import app

    commands = dict(getattr(get_command(app), "commands"))  # noqa: B009
    for name, group in list(commands.items()):
        commands |= {f"{name} {each}": command for each, command in getattr(group, "commands", {}).items()}
    for first, rest in COMMAND.findall(_code(page)):
        second = " ".join([first, *rest.split()[:1]])
        name = second if hasattr(commands.get(first), "commands") else first
        assert name.startswith("-") or name in commands, f"loopwm {name}"
        if name in commands:
            known = {o for p in commands[name].params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
            assert set(re.findall(r"--[a-z][a-z-]*", rest)) <= known, f"loopwm {name}{rest}"


@pytest.mark.parametrize("page", PAGES, ids=IDENTIFIER)
def test_launch_files_and_their_arguments_exist(page: Path) -> None:
    for name, rest in re.findall(r"^ros2 launch loopwm_ros (\S+)(.*)$", _code(page), re.MULTILINE):
        text = (ROOT / "launch" / name).read_text(encoding="utf-8")
        for argument in re.findall(r"(\w+):=", rest):
            assert f'"{argument}": (' in text, f"{name} {argument}"


def test_arm_files_for_drivers_are_usable(tmp_path: Path) -> None:
    from loopwm_ros.config import load_arm
    from loopwm_ros.control.kinematics import Kinematics

    blocks = re.findall(
        r"```yaml\n(.*?)```", (ROOT / "docs/deploy.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert len(blocks) == 3
    path = tmp_path / "arm.yaml"
    for block in blocks:
        path.write_text(block)
        arm = load_arm(str(path))
        assert arm.command_topic in block
        assert arm.tool_speed == 0.1
        assert Kinematics(arm).velocity_limit.min() > 0


@pytest.mark.parametrize("page", PAGES, ids=IDENTIFIER)
def test_make_targets_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(MAKE.findall(text)) | set(re.findall(r"^make ([a-z-]+)", _code(page), re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=IDENTIFIER)
def test_named_files_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:loopwm_ros|sim|config|launch|tools|tests|benchmarks|lib)/[\w./-]+)`", text)
    assert [n for n in named if not (ROOT / n).exists()] == []


def test_promised_stop_is_kept() -> None:
    from loopwm_ros.config import load_arm, load_world
    from loopwm_ros.control.kinematics import Kinematics
    from loopwm_ros.control.safety_gate import GateSettings

    found = re.search(r"under \*\*([0-9.]+) s\*\*", (ROOT / "docs/safety.md").read_text(encoding="utf-8"))
    assert found
    limits, gate = Kinematics(load_arm("panda")), GateSettings()
    stop = float(max(limits.velocity_limit / limits.acceleration_limit))
    period = 1.0 / load_world("tabletop").servo_rate
    assert max(gate.joint_timeout, gate.plan_timeout) + period + stop < float(found[1])


def test_the_stated_lag_of_the_stand_in_is_that_of_its_settings() -> None:
    from loopwm_ros.standin.settings import StandinSettings

    page = (ROOT / "docs/standin.md").read_text(encoding="utf-8")
    found, own = re.search(r": (\d+) ms with the defaults", page), StandinSettings()
    assert found
    servo = own.servo_damping / (math.pi * own.servo_frequency) + own.servo_smoothing
    lag = servo + own.command_delay + own.command_jitter / 2
    assert round(1e3 * lag) == int(found[1])


def test_every_difference_of_the_stand_in_is_on_its_page() -> None:
    from loopwm_ros.standin.settings import StandinSettings

    page = (ROOT / "docs/standin.md").read_text(encoding="utf-8")
    table = page.split("## What differs")[1].split("\n\n")[2]
    named = set(re.findall(r"`([a-z_]+)`", table))
    assert named == set(StandinSettings.model_fields) | {"joint_rate"}
