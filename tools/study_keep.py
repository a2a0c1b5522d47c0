"""Keep of an evaluation what the study's section of docs/results.md is made from, a tenth of the file.

python tools/study_keep.py out/study/evaluation.json docs/results/study/evaluation.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from study_claims import PARTS

from loopwm_ros.training.evaluation.results import Evaluation

DIGITS = 6  # that are kept of each figure


def kept(found: Evaluation) -> dict[str, Any]:
    """All figures of the parts that the page shows, rounded; none after single transitions.

    Of an ablation, of which no thousand steps were measured, no exits.
    """
    whole = found.model_dump(mode="json", exclude={"groups": {"__all__": {"transition"}}})
    for group in whole["groups"]:
        for section in ("prediction", "looping"):
            group[section] = {part: of for part, of in group[section].items() if part in PARTS}
        if not group["stability"]:  # an ablation
            for looping in group["looping"].values():
                looping["exits"] = []
    rounded: dict[str, Any] = _rounded(whole)
    return rounded


def _rounded(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def main() -> None:
    """Read one file, write the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("evaluation", type=Path, help="evaluation.json of loopwm evaluate")
    parser.add_argument("out", type=Path, help="file to write")
    asked = parser.parse_args()
    found = Evaluation.model_validate_json(asked.evaluation.read_text(encoding="utf-8"))
    text = json.dumps(kept(found), separators=(",", ":"))
    Evaluation.model_validate_json(text)  # it can be read back
    asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
