"""A simulated arm and camera with the topics that ros2_control and a camera driver have, in real time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rclpy.parameter import Parameter

from loopwm_ros.nodes import spin
from loopwm_ros.nodes.cell_node import CellNode
from loopwm_ros.nodes.sim_settings import SimSettings

NAME = "sim"


class SimNode(CellNode):
    """The PyBullet cell; it publishes the time."""

    def __init__(self, overrides: Sequence[Parameter[Any]] = ()) -> None:
        """Start the node; `overrides` win over parameters from the command line."""
        super().__init__(NAME, overrides)


def main() -> int:
    """Run the simulation until interrupted."""
    return spin.run(NAME, SimNode, SimSettings)


if __name__ == "__main__":
    sys.exit(main())
