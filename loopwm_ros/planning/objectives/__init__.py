"""Cost terms, one a file, and their weighted sum."""

from loopwm_ros.planning.objectives.weighted import ObjectiveFactory, WeightedObjective

__all__ = ["ObjectiveFactory", "WeightedObjective"]
