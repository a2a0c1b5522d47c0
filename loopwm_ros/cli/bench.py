"""`loopwm bench`: what this machine keeps up with."""

from __future__ import annotations

import typer

from loopwm_ros.cli.bench_camera import camera
from loopwm_ros.cli.bench_deadline import deadline
from loopwm_ros.cli.bench_planner import planner
from loopwm_ros.cli.bench_start import start

app = typer.Typer(no_args_is_help=True)
app.command(epilog="Example: loopwm bench planner --task push --loops auto,1 --peer")(planner)
app.command(epilog="Example: loopwm bench deadline --minutes 30 --stress")(deadline)
app.command(epilog="Example: loopwm bench camera --size 640x480 --rate 30")(camera)
app.command(epilog="Example: loopwm bench start --task push --times 5")(start)
