"""`loopwm validate` as a whole, with a bundle made by hand and small suites."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from click.testing import Result
from typer.testing import CliRunner

from loopwm_ros.bundle import Bundle
from loopwm_ros.cli.validate import validate
from loopwm_ros.config import load_arm, load_task
from loopwm_ros.errors import CertificateError, ConfigError
from loopwm_ros.validation.certificate import arm_sha256, load_certificate, settings_sha256, shortcomings
from loopwm_ros.validation.suite import load_suite
from tests.bundles import make_bundle
from tests.unit.test_validation_certificate import keys

app = typer.Typer()
app.command()(validate)

MOTION = {"position": 0.1, "velocity": 2.0, "acceleration": 20.0, "workspace": 0.1}
GAPS = {"limits": {"tool": {1: 0.1}}}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle"), load_arm("panda"), load_task("reach"))


def suite_file(folder: Path, **changes: Any) -> Path:
    """Two episodes that are over at once, and one with a fault."""
    task = folder / "task.yaml"
    task.write_text("extends: reach\nname: hurried\ntime_limit: 1.0\n")
    part = {"episodes": 2, "seed": 3, "success": {"at_least": 0.0}}
    values = {
        "name": "small", "task": str(task), "parts": {"nominal": part | {"world": "nominal"}, "other": part},
        "gaps": GAPS, "motion": MOTION,
    }  # fmt: skip
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(values | changes))
    return path


def run(bundle: Bundle, suite: Path, out: Path, *more: str) -> Result:
    options = [
        "--bundle",
        str(bundle.root),
        "--arm",
        "panda",
        "--suite",
        str(suite),
        "--out",
        str(out),
        *more,
    ]
    return CliRunner().invoke(app, options)


def test_a_passed_suite_permits_to_arm_with_exactly_this(bundle: Bundle, tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    suite, out = suite_file(tmp_path), tmp_path / "out"
    done = run(bundle, suite, out, "--sign", str(private))
    assert done.exit_code == 0, done.output
    made = load_certificate(out, public)
    settings, arm = load_suite(str(suite)), load_arm("panda")
    task = settings_sha256(load_task(settings.task))
    asked = {"bundle_sha256": bundle.sha256, "arm": arm, "task_sha256": task}
    assert shortcomings(made, **asked, suite_sha256=settings_sha256(settings)) == []
    assert (made.arm_sha256, made.suite, made.task) == (arm_sha256(arm), "small", "hurried")
    assert [part.name for part in made.parts] == ["nominal", "other"]
    assert {gap.name for gap in made.gaps} == {"tool", "joints"}
    assert "<h1>Passed</h1>" in (out / "validation.html").read_text(encoding="utf-8")


def test_a_suite_that_is_not_passed_has_its_own_exit_status(bundle: Bundle, tmp_path: Path) -> None:
    faults = {
        "scenarios": ["plans_stop"], "episodes": 1, "seed": 5, "stop_s": 0.4, "motion": MOTION,
        "recovered": {"at_least": 1.0},
    }  # fmt: skip
    out = tmp_path / "out"
    done = run(bundle, suite_file(tmp_path, faults=faults), out)
    assert done.exit_code == 2, done.output
    assert "not passed" in done.output
    made = load_certificate(out)
    assert [check.name for check in made.failed] == ["faults.recovered"], "solved in 1 s: impossible"
    films = {path.name for path in (out / "films").iterdir()}
    assert {"nominal-3.webp", "nominal-3.film.webp", "faults.plans_stop-5.film.webp"} <= films
    assert len(films) == 10, "two of each failure"
    (reason,) = shortcomings(made, bundle_sha256=bundle.sha256, arm=load_arm("panda"))
    assert "faults.recovered" in reason


def test_it_goes_on_where_it_was_ended_and_comes_to_the_same(bundle: Bundle, tmp_path: Path) -> None:
    suite, out = suite_file(tmp_path), tmp_path / "out"
    run(bundle, suite, out)
    journal = out / "episodes.jsonl"
    whole = journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:3]) + lines[3][:50])  # two of four episodes, and a piece
    before = load_certificate(out)
    (out / "validation.json").unlink()
    again = run(bundle, suite, out, "--workers", "2")
    assert again.exit_code == 0, again.output
    assert journal.read_bytes() == whole
    assert load_certificate(out).model_copy(update={"created": before.created}) == before


def test_another_suite_does_not_go_on_with_it(bundle: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(bundle, suite_file(tmp_path), out)
    done = run(bundle, suite_file(tmp_path, gaps={"margin": 1.1, **GAPS}), out)
    assert isinstance(done.exception, ConfigError)
    assert "another suite_sha256; choose another --out" in str(done.exception)


def test_a_key_that_cannot_be_used_is_refused_before_any_work(bundle: Bundle, tmp_path: Path) -> None:
    done = run(bundle, suite_file(tmp_path), tmp_path / "out", "--sign", str(tmp_path / "none.pem"))
    assert isinstance(done.exception, CertificateError)
    assert not (tmp_path / "out").exists()
