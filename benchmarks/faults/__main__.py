"""Run all faults and write docs/results/faults.json; or those named, and print them.

python -m benchmarks.faults [NAME ... [--times N]] [--out FILE]
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path

from benchmarks.faults.catalogue import FAULTS
from benchmarks.faults.measure import measure
from benchmarks.faults.scene import ARM, ROOT, Scene
from loopwm_ros.bundle import load_bundle
from loopwm_ros.nodes import environment
from loopwm_ros.validation.burners import cores
from loopwm_ros.validation.fault_rows import FaultRow, FaultTable

OUT = ROOT / "docs" / "results" / "faults.json"


def main() -> None:
    """One scene for all: each fault must leave it as it was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *(fault.name for fault in FAULTS)], metavar="NAME")
    parser.add_argument("--times", type=int, default=1, metavar="N", help="how often each is put in")
    parser.add_argument("--out", type=Path, help="default: docs/results/faults.json, for all faults only")
    arguments = parser.parse_args()
    out = arguments.out or (None if arguments.names or arguments.times > 1 else OUT)
    load, rows = os.getloadavg()[0] / cores(), []
    with tempfile.TemporaryDirectory() as folder:
        variables = environment.private_graph(Path(folder) / "ros", environment.domain_id())
        with environment.applied(variables):
            scene = Scene(variables, Path(folder))
            try:
                chosen = [fault for fault in FAULTS if fault.name in (arguments.names or [fault.name])]
                for fault in chosen * arguments.times:
                    rows.append(measure(scene, fault))
                    print(_line(rows[-1]), flush=True)
                sha256 = load_bundle(scene.bundle).sha256
            finally:
                scene.close()
    if out is None:
        return
    machine = f"{platform.machine()}, {cores()} cores, Linux {platform.release().split('-')[0]}"
    table = FaultTable(
        machine=machine, load=round(load, 2), arm=ARM.name, bundle_sha256=sha256, rows=tuple(rows)
    )
    out.write_text(table.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _line(row: FaultRow) -> str:
    times = f"brake {row.brake_ms}, rest {row.rest_ms} of {row.promised_ms} ms"
    limits = "within limits" if row.within_limits else f"BEYOND LIMITS {row.shares}"
    return f"{row.name}: {times}; {limits}; {'moves' if row.recovered else 'DOES NOT MOVE'} again; {row.said}"


if __name__ == "__main__":
    main()
