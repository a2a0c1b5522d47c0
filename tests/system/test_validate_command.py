"""`loopwm validate` as a user starts it, with a part in real time under load.

The bundle is made by hand (tests/bundles.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from loopwm_ros.config import load_arm, load_task, share_dir
from loopwm_ros.validation.certificate import load_certificate
from tests.bundles import make_bundle


def test_a_suite_with_real_time_under_load(tmp_path: Path) -> None:
    quick = yaml.safe_load((share_dir() / "sim" / "suites" / "quick.yaml").read_text())
    load = {"episodes": 1, "seed": 4, "burners": 1, "nice": 19, "deadline_misses": 1.0}
    part = {"nominal": {"world": "nominal", "episodes": 1, "seed": 0}}
    suite = tmp_path / "load.yaml"
    suite.write_text(yaml.safe_dump({**quick, "parts": part, "faults": None, "load": load}))
    bundle = make_bundle(tmp_path / "bundle", load_arm("panda"), load_task("reach"))
    command = [sys.executable, "-m", "loopwm_ros.cli.main", "validate", "--bundle", str(bundle.root)]
    command += ["--suite", str(suite), "--out", str(tmp_path / "out")]
    alone = {name: value for name, value in os.environ.items() if name != "ROS_DOMAIN_ID"}
    done = subprocess.run(command, env=alone, capture_output=True, text=True, timeout=240, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    made = load_certificate(tmp_path / "out")
    assert done.returncode == (0 if made.passed else 2), done.stdout + done.stderr
    parts = {one.name: one.episodes for one in made.parts}
    assert parts == {"nominal": 1, "load": 1}
    (misses,) = [check for check in made.checks if check.name == "load.deadline_misses"]
    assert misses.value is not None
    assert misses.passed
    assert "deadline misses in" in (tmp_path / "out" / "validation.html").read_text(encoding="utf-8")
