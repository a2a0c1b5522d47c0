"""Write docs/parameters.md from the nodes' settings models, where each parameter is described once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from loopwm_ros.config import Settings
from loopwm_ros.nodes.calibration_parameters import CalibrationParameters
from loopwm_ros.nodes.monitor_parameters import MonitorParameters
from loopwm_ros.nodes.mpc_parameters import MpcParameters
from loopwm_ros.nodes.params import LIVE
from loopwm_ros.nodes.player import PlayerSettings
from loopwm_ros.nodes.safety_parameters import SafetyParameters
from loopwm_ros.nodes.sim_settings import SimSettings
from loopwm_ros.nodes.standin_settings import StandinParameters

PAGE = Path(__file__).resolve().parents[1] / "docs" / "parameters.md"
NODES: dict[str, type[Settings]] = {
    "sim": SimSettings,
    "mpc": MpcParameters,
    "safety": SafetyParameters,
    "monitor": MonitorParameters,
    "calibration": CalibrationParameters,
    "player": PlayerSettings,
    "standin": StandinParameters,
}


def kind(field: FieldInfo) -> str:
    """Type, and range or choices."""
    annotation: Any = field.annotation
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(annotation))
    low = next((m.ge for m in field.metadata if isinstance(m, annotated_types.Ge)), None)
    high = next((m.le for m in field.metadata if isinstance(m, annotated_types.Le)), None)
    if low is None:
        return str(annotation.__name__)
    return (
        f"{annotation.__name__}, {low} to {high}"
        if high is not None
        else f"{annotation.__name__}, from {low}"
    )


def render() -> str:
    """The whole page."""
    lines = [
        "# Parameters of the nodes",
        "",
        "Written by `make docs` from the settings in the code; a test keeps both together.",
        "While a node runs, only *live* parameters can change; those of `mpc` can while it is unconfigured.",
    ]
    for node, settings in NODES.items():
        lines += [
            "",
            f"## {node}",
            "",
            "| parameter | type | default | meaning |",
            "| --- | --- | --- | --- |",
        ]
        for name, field in settings.model_fields.items():
            default = f"`{field.default}`" if field.default != "" else "empty"
            live = " (*live*)" if field.json_schema_extra == LIVE else ""
            lines.append(f"| `{name}` | {kind(field)} | {default} | {field.description}{live} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Render, or with `--check` only compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is out of date")
    text = render()
    if not parser.parse_args().check:
        PAGE.write_text(text, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != text:
        raise SystemExit("docs/parameters.md is out of date: run `make docs`")


if __name__ == "__main__":
    main()
