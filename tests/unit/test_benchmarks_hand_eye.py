from __future__ import annotations

import json
from pathlib import Path

from benchmarks.calibration.hand_eye_rows import HandEyeTable

FILE = Path(__file__).parents[2] / "docs/results/calibration/hand_eye.json"


def test_rows_of_a_case_are_added_or_replaced_and_all_others_are_kept() -> None:
    table = HandEyeTable.model_validate_json(FILE.read_text())
    last = next(row for row in reversed(table.rows) if row.corners == "synthesised")
    added = last.model_copy(update={"case": "another", "git_revision": "abc"})
    more = table.including([added])
    assert [row for row in more.rows if row != added] == list(table.rows)
    assert more.rows[more.rows.index(last) + 1] == added
    again = more.including([added.model_copy(update={"runs": 1})])
    assert len(again.rows) == len(more.rows)
    assert [row.runs for row in again.rows if row.key == added.key] == [1]
    assert json.loads(again.model_dump_json())["git_revision"] == table.git_revision
