"""The `loopwm` command as a whole: what goes wrong is one clear line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from loopwm_ros.cli.main import COMMANDS, EXTRAS, app

WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None  # as if it were not installed
from loopwm_ros.cli.main import main
main()
"""


def run_without(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT, module, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("module", "extra", "arguments"),
    [
        ("torch", "train", ["train", "--config", "none.yaml", "--data", "none", "--out", "none"]),
        ("pybullet", "sim", ["sim", "--lockstep", "--controller", "zero"]),
    ],
)
def test_a_part_that_is_not_installed_is_named_with_its_extra(module, extra, arguments) -> None:
    done = run_without(module, *arguments)
    (line,) = done.stderr.splitlines()
    assert line == f'error: this command needs {module}, which is missing: pip install "loopwm_ros[{extra}]"'
    assert done.returncode == 1


def test_a_missing_module_of_our_own_is_not_hidden() -> None:
    done = run_without("loopwm_ros.cli.sim_job", "sim", "--lockstep")
    assert "Traceback" in done.stderr


def test_every_extra_installs_its_modules(repository: Path) -> None:
    listed = (repository / "setup.py").read_text(encoding="utf-8")
    for module, extra in EXTRAS.items():
        assert module in listed.partition(f'"{extra}": [')[2].partition("],")[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_no_brackets_for_they_are_not_shown(name: str) -> None:
    command = get_command(app).commands[name]
    parts = getattr(command, "commands", {name: command}).values()
    texts = [getattr(parameter, "help", None) or "" for part in parts for parameter in part.params]
    assert any(texts) or name == "doctor"
    assert [text for text in texts if "[" in text] == []
