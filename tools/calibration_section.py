"""The part of docs/results.md on calibration, from committed measurements against known truth."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from markdown_table import table

FOLDER = "docs/results/calibration"
Found = dict[str, Any]


def calibration(root: Path) -> list[str]:
    """The section; empty where nothing was measured."""
    parts: dict[str, Callable[[Found], list[str]]] = {
        "intrinsics": lenses,
        "public": public,
        "hand_eye": hand_eye,
        "time_offset": time_offset,
        "reprojection": reprojection,
        "drift": drift,
    }
    lines = []
    for name, part in parts.items():
        path = root / FOLDER / f"{name}.json"
        if path.exists():
            lines += ["", *part(json.loads(path.read_text(encoding="utf-8")))]
    if not lines:
        return []
    head = [
        "",
        "## Calibration",
        "",
        "Rendered pictures with known truth, with noise, blur, distortion and bad pictures among them.",
        "Spread: median / worst. *Sigmas*: RMS of errors over the 1-sigma that was reported; 1 is honest.",
    ]
    return head + lines


def _command(name: str, arguments: str = "") -> list[str]:
    return ["", "```sh", f"python -m benchmarks.calibration.{name}{arguments}", "```", ""]


def _rms(values: Iterable[float]) -> float:
    squares = [value * value for value in values]
    return float((sum(squares) / len(squares)) ** 0.5)


def _spread(values: Iterable[float], digits: int) -> str:
    ordered = sorted(abs(value) for value in values)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return f"{median:.{digits}f} / {ordered[-1]:.{digits}f}"


def lenses(found: Found) -> list[str]:
    """Focal length and RMS by camera and board."""
    groups: dict[tuple[str, ...], list[Found]] = defaultdict(list)
    for row in found["rows"]:
        groups[row["camera"], row["lens"], row["board"]].append(row)
    rows = [
        (
            *name,
            str(len(those)),
            _spread((max(map(abs, row["focal_errors_percent"])) for row in those), 3),
            _spread((row["rms_px"] for row in those), 3),
            _spread((row["map_error_px"] for row in those), 3),
            f"{_rms(value for row in those for value in row['sigmas'].values()):.2f}",
            str(sum(row["refused_good"] + row["dropped_good"] for row in those)),
        )
        for name, those in groups.items()
    ]
    columns = (
        "camera",
        "lens",
        "board",
        "runs",
        "focal length [%]",
        "RMS [px]",
        "map [px]",
        "sigmas",
        "good lost",
    )
    return [
        "### Lens",
        "",
        f"Promised: focal length within {found['focal_percent']:g} %, RMS under {found['rms_px']:g} px.",
        "Map: how far off a point is, where corners were seen. Good lost: good pictures",
        "that were refused or left out, in all.",
        *_command("intrinsics"),
        *table(columns, rows),
    ]


def public(found: Found) -> list[str]:
    """A public set of pictures, by us and by OpenCV."""
    rows = [
        (
            row["by"],
            str(row["views"]),
            " ".join(f"{value:.2f}" for value in row["focal_px"]),
            " ".join(f"{value:.2f}" for value in row["centre_px"]),
            f"{row['rms_px']:.3f}",
            str(len(row["dropped"])),
        )
        for row in found["rows"]
    ]
    columns = ("by", "views", "focal length [px]", "optical centre [px]", "RMS [px]", "left out")
    return ["### Lens, real pictures", "", f"{found['images']}.", "", *table(columns, rows)]


def hand_eye(found: Found) -> list[str]:
    """Errors by arm, set-up and case."""
    rows = [
        (
            row["arm"],
            row["setup"].replace("_", " "),
            row["lens"],
            row["corners"],
            row["case"],
            f"{row['within']} of {row['runs']}",
            f"{row['shift_mm'][0]:.2f} / {row['shift_mm'][1]:.2f}",
            f"{row['turn_degrees'][0]:.3f} / {row['turn_degrees'][1]:.3f}",
            f"{_rms(row['sigmas']):.2f}",
            f"{row['bad_dropped']} of {row['bad_put_in']}",
            f"{row['good_dropped']} of {row['good']}",
        )
        for row in found["rows"]
    ]
    columns = (
        "arm", "camera", "lens", "corners", "case", "within", "place [mm]", "direction [degrees]", "sigmas",
        "bad left out", "good left out",
    )  # fmt: skip
    return [
        "### Hand-eye",
        "",
        f"{found['poses']} poses. Within: the camera is, in so many runs, within",
        f"{found['translation_mm']:g} mm and {found['rotation_degrees']:g} degrees of where it is. The focal",
        "length counts as exact unless its 1-sigma is known, as that which `loopwm calibrate` found is.",
        *_command("hand_eye"),
        *table(columns, rows),
    ]


def time_offset(found: Found) -> list[str]:
    """Errors by arm and set-up."""
    rows = [
        (
            row["arm"],
            row["setup"].replace("_", " "),
            row["corners"],
            f"{row['within']} of {len(row['errors_ms'])}",
            _spread(row["errors_ms"], 2),
            f"{row['std_ms']:.2f}",
            f"{row['sigma']:.2f}",
        )
        for row in found["rows"]
    ]
    columns = ("arm", "camera", "corners", "within", "error [ms]", "1-sigma [ms]", "sigmas")
    return [
        "### Time offset",
        "",
        f"Pictures at {found['camera_hz']:g} Hz, joints at {found['joints_hz']:g} Hz; stamps off by",
        f"up to {found['camera_jitter_ms']:g} ms and {found['joint_jitter_ms']:g} ms.",
        f"Within: by {found['promised_ms']:g} ms.",
        *_command("time_offset"),
        *table(columns, rows),
    ]


def reprojection(found: Found) -> list[str]:
    """Success with a camera that is not where the model was trained."""
    rows = [
        (
            row["case"],
            "yes" if row["reprojected"] else "no",
            f"{round(row['success'] * row['episodes'])} of {row['episodes']}",
            f"{row['low']:.0%} to {row['high']:.0%}",
            f"{row['final_mm']:.1f}",
        )
        for row in found["rows"]
    ]
    columns = ("camera", "re-projected", "success", "95 % interval", "final distance [mm]")
    return [
        "### A camera that is not where it was",
        "",
        f"Bundle `{found['bundle']}`, in lockstep.",
        *_command("reprojection"),
        *table(columns, rows),
    ]


def drift(found: Found) -> list[str]:
    """What looks at a camera that was turned say, and what a look costs."""
    states = ("unknown", "ok", "warn", "block")
    rows = [
        (
            row["check"],
            str(row["width_px"]),
            f"{row['turned_deg']:g}",
            " / ".join(f"{row['single_look_deg'][name]:.2f}" for name in ("median", "p95", "max")),
            *(str(row["verdicts"].get(state, 0)) for state in states),
        )
        for row in found["seen"]
    ]
    costs = [
        (row["check"], str(row["width_px"]), f"{row['median_ms']:.1f} / {row['max_ms']:.1f}")
        for row in found["cost"]
    ]
    limits, looks = found["limits"], found["seen"][0]["looks"]
    return [
        "### Is the camera where it was",
        "",
        f"{looks} looks, another scene or posture at each. One look: the angle that it says alone, median,",
        "95 % and worst; 45 is a scene that is not known again. Verdicts are counted; they come from the",
        f"last {limits['looks']} looks: a warning from {limits['warn_at']:g} degrees, a block from",
        f"{limits['block_at']:g}, unknown before {limits['evidence']} looks.",
        *_command("drift", f" --out {FOLDER}/drift.json --looks {looks}"),
        *table(("check", "width [px]", "turned by [degrees]", "one look [degrees]", *states), rows),
        "",
        "CPU time of a look, median / worst of 9:",
        "",
        *table(("check", "width [px]", "[ms]"), costs),
    ]
