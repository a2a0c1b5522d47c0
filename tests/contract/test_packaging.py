"""The package as pip, colcon and ament see it."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DUMP = """
import json, sys, setuptools
found = {}
setuptools.setup = lambda **options: found.update(options)
exec(compile(open("setup.py").read(), "setup.py", "exec"), {"__file__": "setup.py", "__name__": "__main__"})
json.dump(found, sys.stdout)
"""
ROS = {  # the `ros` extra, or a sourced ROS distribution: package.xml names them
    d.text
    for d in ET.parse(ROOT / "package.xml").getroot().iter("exec_depend")
    if d.text and not d.text.startswith("python3-")
}


@cache
def _setup() -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", DUMP], cwd=ROOT, capture_output=True, text=True, check=True)
    options: dict[str, Any] = json.loads(done.stdout)
    return options


def _installed() -> dict[str, str]:
    """Installed files: path in the prefix -> path in the checkout."""
    return {f"{folder}/{Path(f).name}": f for folder, files in _setup()["data_files"] for f in files}


def _tracked(*folders: str) -> list[str]:
    done = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_version_is_written_once() -> None:
    version = ET.parse(ROOT / "package.xml").getroot().findtext("version")
    assert _setup()["version"] == version
    files = [f for f in _tracked("*.py", "*.toml", "*.cfg", "*.xml") if not (ROOT / f).is_symlink()]
    written = re.compile(rf"version\W{{1,4}}{re.escape(str(version))}\b")
    assert [f for f in files if written.search((ROOT / f).read_text())] == ["package.xml"]


def test_changelog_has_the_version() -> None:
    version = _setup()["version"]
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


def test_licence_is_the_same_everywhere() -> None:
    assert _setup()["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("folder", ["calibration/boards", "config", "launch", "models", "sim"])
def test_every_data_file_is_installed(folder: str) -> None:
    tracked = _tracked(folder)
    assert tracked, f"{folder}/ is empty"
    installed = _installed()
    assert [f for f in tracked if installed.get(f"share/loopwm_ros/{f}") != f] == []


def test_ament_index() -> None:
    installed = _installed()
    assert installed["share/ament_index/resource_index/packages/loopwm_ros"] == "resource/loopwm_ros"
    assert installed["share/loopwm_ros/package.xml"] == "package.xml"


def test_executables_are_installed_and_start_a_main() -> None:
    executables = _tracked("lib/loopwm_ros")
    assert {Path(f).name for f in executables} >= {"mpc", "safety", "sim", "standin"}
    for name in executables:
        path = ROOT / name
        assert _installed()[f"lib/loopwm_ros/{path.name}"] == name
        assert path.read_text().startswith("#!/usr/bin/env python3\n")
        assert path.stat().st_mode & 0o777 == 0o755, f"{name} must have mode 755"


def test_git_knows_the_executables() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-s", "lib"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    modes = {line.split()[0] for line in listed.stdout.splitlines()}
    assert modes == {"100755"}


def test_entry_points_exist() -> None:
    (script,) = _setup()["entry_points"]["console_scripts"]
    assert script == "loopwm = loopwm_ros.cli.main:main"
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name="loopwm")
    assert callable(entry.load())


def test_every_package_is_listed() -> None:
    with_init = {".".join(Path(f).parent.parts) for f in _tracked("loopwm_ros/*__init__.py")}
    with_code = {".".join(Path(f).parent.parts) for f in _tracked("loopwm_ros/*.py")}
    assert with_code == with_init
    assert set(_setup()["packages"]) == with_init


def test_every_file_in_the_package_is_listed() -> None:
    listed = {
        path.relative_to(ROOT).as_posix()
        for package, patterns in _setup()["package_data"].items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    assert [f for f in _tracked("loopwm_ros") if not f.endswith(".py") and f not in listed] == []


def test_workspace_links_to_the_root() -> None:
    assert (ROOT / "ros2_ws/src/loopwm_ros").readlink() == Path("../..")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _names(requirements: list[str]) -> set[str]:
    return {_normal(re.split(r"[\[<>=!;~ ]", r)[0]) for r in requirements}


def _imported(path: Path) -> set[str]:
    """Top-level names that one file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
    names += [n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module]
    return {name.partition(".")[0] for name in names}


UNLISTED = {"pinocchio": "pin", "coal": "coal", "ruckig": "ruckig"}


def _owners(name: str) -> set[str]:
    """Distributions that bring a top-level name; some install into a prefix of its own, or a bare library."""
    if name in UNLISTED:
        return {UNLISTED[name]}
    return {_normal(d) for d in importlib.metadata.packages_distributions().get(name, [])}


def test_every_import_is_declared() -> None:
    options = _setup()
    declared = _names(sum(options["extras_require"].values(), options["install_requires"]))
    imported = set().union(*(_imported(ROOT / f) for f in _tracked("loopwm_ros/*.py")))
    foreign = imported - sys.stdlib_module_names - {"loopwm_ros"} - ROS
    assert {name for name in foreign if not declared & _owners(name)} == set()


def test_every_requirement_is_pinned() -> None:
    options = _setup()
    pins = [line.partition(";")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    exact = {_normal(p.partition("==")[0]) for p in pins if "==" in p}
    wanted = _names(sum(options["extras_require"].values(), options["install_requires"]))
    assert wanted - exact == set()
    assert "torch==2.13.0" in pins
