"""Film strips of failures, beside a run's summary."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from loopwm_ros.validation.failures import strip_path, write_strips
from tests import episodes as samples


def test_each_failure_has_a_small_strip(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    traces = [samples.trace(0), samples.trace(1, success=False), samples.trace(2, success=False)]
    assert write_strips(folder, "push", traces, samples.camera()) == 2
    assert sorted(folder.iterdir()) == [strip_path(folder, "push", seed) for seed in (101, 102)]
    path = strip_path(folder, "push", 101)
    assert path.stat().st_size < 8192
    with Image.open(path) as strip:
        assert strip.width > 5 * strip.height


def test_strips_of_an_earlier_run_of_that_name_go(tmp_path: Path) -> None:
    others = [tmp_path / "push-far-7.webp", tmp_path / "reach-7.webp"]
    for path in (*others, strip_path(tmp_path, "push", 7)):
        path.write_bytes(b"")
    assert write_strips(tmp_path, "push", [samples.trace(0)], samples.camera()) == 0
    assert sorted(tmp_path.iterdir()) == others
