"""Plays the physical arm: another physics engine on the topics of a driver and a camera, on wall time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rclpy.parameter import Parameter

from loopwm_ros.errors import ConfigError
from loopwm_ros.nodes import spin
from loopwm_ros.nodes.cell_node import CellNode
from loopwm_ros.nodes.standin_settings import StandinParameters

NAME = "standin"
ASTRAY = 0.05  # the cell's time follows the wall clock when it is this far from it [s]


class StandinNode(CellNode):
    """The MuJoCo cell. A real arm has no `/clock`: stamps are wall time, here and in every other node."""

    settings = StandinParameters
    has_clock = False

    def __init__(self, overrides: Sequence[Parameter[Any]] = ()) -> None:
        """Start the node; `overrides` win over parameters from the command line.

        Raises:
            ConfigError: `use_sim_time` is set, or a parameter or a file is not usable.
        """
        super().__init__(NAME, overrides)

    def _begin_episode(self, index: int, start: float) -> None:  # noqa: ARG002  (time is the wall's)
        if self.get_parameter("use_sim_time").value:
            raise ConfigError("the stand-in runs on wall time, as an arm does: leave use_sim_time false")
        super()._begin_episode(index, self._wall())
        self._cell.shift(self._wall() - self._cell.now)  # setting up took a while

    def _on_timer(self) -> None:
        gap = self._wall() - self._cell.now
        if abs(gap) > ASTRAY:  # the machine stopped for a moment, or its clock was set
            self._cell.shift(gap)
            self._pacer.restart()
        super()._on_timer()

    def _wall(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9


def main() -> int:
    """Run the stand-in until interrupted."""
    return spin.run(NAME, StandinNode, StandinParameters)


if __name__ == "__main__":
    sys.exit(main())
