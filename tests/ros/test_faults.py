"""Each fault of docs/faults.md: nothing unsafe, nothing lost, and the arm moves again where the cause ends.

One cell of real nodes for all: what a fault leaves behind, the next one meets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.faults.catalogue import FAULTS, Fault
from benchmarks.faults.measure import measure
from benchmarks.faults.scene import Scene
from loopwm_ros.nodes.json_lines import JsonLines
from loopwm_ros.nodes.mpc_parameters import MpcParameters
from loopwm_ros.validation.fault_rows import read_faults

SLACK = 1000.0  # beyond the promise: this machine may be busy [ms]


class Cell:
    """A scene that is made anew after a test that failed in it."""

    def __init__(self, variables: dict[str, str], folder: Path) -> None:
        self._variables, self._folder, self._count = variables, folder, 0
        self._scene: Scene | None = None

    def scene(self) -> Scene:
        if self._scene is None:
            self._count += 1
            folder = self._folder / str(self._count)
            folder.mkdir()
            self._scene = Scene(self._variables, folder)
        return self._scene

    def close(self) -> None:
        scene, self._scene = self._scene, None
        if scene is not None:
            scene.close()


@pytest.fixture(scope="module")
def cell(graph: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    made = Cell(graph, tmp_path_factory.mktemp("faults"))
    yield made
    made.close()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault(cell: Cell, fault: Fault) -> None:
    try:
        scene = cell.scene()
        row = measure(scene, fault)
        assert row.within_limits, row.shares
        assert row.recovered, row.said
        assert re.search(fault.says, row.said)
        assert (row.rest_ms is not None) or not fault.promise
        if row.promised_ms is not None:
            assert row.rest_ms <= row.promised_ms + SLACK
        if fault.name == "disk_full":
            assert_whole(scene)
    except BaseException:
        cell.close()
        raise


def assert_whole(scene: Scene) -> None:
    """Each control period is in the trace, or counted as left out."""
    scene.run_for(0.5)
    cycles = [line for line in JsonLines(scene.trace).new() if "cycle" in line]
    passed = np.diff([line["cycle"] for line in cycles]) / MpcParameters().control_period
    np.testing.assert_allclose(passed, [line["cycles"] for line in cycles[1:]], atol=0.01)
    assert "cannot write" not in scene.said("mpc")


def test_the_table_has_every_fault_and_each_ended_well(repository: Path) -> None:
    rows = read_faults(repository / "docs/results/faults.json").rows
    assert [row.name for row in rows] == [fault.name for fault in FAULTS]
    assert all(row.within_limits and row.recovered for row in rows)
