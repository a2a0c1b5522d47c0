"""How near the parts of an arm are to each other and to keep-out boxes: coal, with pinocchio's geometry.

A distance once measured bounds the distance at other joint angles: no point of the arm moves further than
the joints' turns times their arms. So only few pairs are measured anew at each call.
"""

from __future__ import annotations

from dataclasses import dataclass

import coal
import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from loopwm_ros.config import ArmConfig, Box
from loopwm_ros.config.urdf import urdf_text
from loopwm_ros.control.arm_urdf import collision_urdf
from loopwm_ros.control.kinematics import Kinematics, lever_arms
from loopwm_ros.errors import ConfigError
from loopwm_ros.types import F64

ROUNDING = 1e-6  # of two distances of one pair [m]
SURE = 1e-9  # a pair that is out of question is so by more than a sum is rounded [m]


@dataclass(frozen=True)
class Approach:
    """Two parts that come too near each other."""

    first: str
    second: str
    distance: float  # [m]; negative: inside each other

    def __str__(self) -> str:
        """For diagnostics."""
        return f"{self.first} to {self.second}"


class Clearance:
    """Distances of one arm, checked along paths. Not thread-safe: calls share buffers."""

    def __init__(self, arm: ArmConfig, kinematics: Kinematics) -> None:
        """Read the collision shapes of the arm's URDF; meshes are taken as their convex hulls.

        Pairs that are joined by one joint are not looked at, nor are those nearer than `arm.clearance` at
        home.

        Raises:
            ConfigError: a mesh cannot be read, or the arm at home is too near a keep-out box.
        """
        self._model, self._margin = kinematics.model, arm.clearance
        self._data = self._model.createData()
        self._shapes = _shapes(arm)
        boxes = [_add_box(self._shapes, name, box, kinematics) for name, box in arm.keep_out.items()]
        self._shapes.addAllCollisionPairs()
        self._drop_joined_pairs(boxes)
        self._drop_near_pairs(kinematics.home, boxes, arm)
        pairs = self._shapes.collisionPairs
        self.names = tuple((self._name(pair.first), self._name(pair.second)) for pair in pairs)
        self._arms = np.array([_lever_arms(self._model, self._shapes, pair) for pair in pairs])
        self._arms = self._arms.reshape(len(pairs), self._model.nv)  # also of no pair at all
        self._known = np.zeros(len(pairs))  # distances [m] ...
        self._at = np.tile(kinematics.home, (len(pairs), 1))  # ... and where they were measured, (pairs, n)
        self.nearest(kinematics.home)

    def nearest(self, position: F64) -> Approach | None:
        """The two parts that are nearest each other at joints (n,) [rad]; None: there are no pairs."""
        if not self.names:
            return None
        self._place(position)
        distances = [self._measure(i, position) for i in range(len(self.names))]
        i = int(np.argmin(distances))
        return Approach(*self.names[i], distances[i])

    def blocked(self, path: F64) -> Approach | None:
        """A pair that comes too near along a path (m, n) [rad]; the arm is at its first point.

        Between two points a pair may come nearer by half of what the joints' turns allow, so that much more
        is kept at the points. A pair that is too near at the first point may part. None: the path is clear.
        """
        pairs = self._may_come_near(path)
        if not len(pairs):
            return None
        arms = self._arms[pairs]
        needed = self._needed(path, arms)
        moved = np.einsum("mpn,pn->mp", np.abs(path[:, None] - self._at[pairs]), arms)
        doubtful = ~(self._known[pairs] - moved >= needed)
        while doubtful.any():
            i, column = divmod(int(doubtful.argmax()), len(pairs))
            pair, position = int(pairs[column]), path[i]
            self._place(position)
            distance = self._measure(pair, position)
            if distance >= needed[i, column]:
                bound = distance - np.abs(path - position) @ arms[column]
                doubtful[:, column] &= ~(bound >= needed[:, column])
            elif self._parts(pair, path):
                doubtful[:, column] = False
            else:
                return Approach(*self.names[pair], distance)
        return None

    def _may_come_near(self, path: F64) -> NDArray[np.intp]:
        """Pairs that could come too near along a path: a quick look that leaves out most of them.

        Joints are nowhere further from where a pair was measured than where the path is lowest or highest;
        half of a joint's longest turn between two points comes on top, as in `_needed`.
        """
        low, high = path.min(axis=0), path.max(axis=0)
        between = np.abs(path[1:] - path[:-1]).max(axis=0) / 2.0
        moved = np.maximum(high - self._at, self._at - low) + between
        return np.flatnonzero(~(self._known - (moved * self._arms).sum(axis=1) >= self._margin + SURE))

    def _needed(self, path: F64, arms: F64) -> F64:
        """Distances (m, pairs) to keep at a path's points, by lever arms (pairs, n) [m/rad]."""
        between = np.abs(path[1:] - path[:-1]) @ arms.T / 2.0
        needed = np.zeros((len(path), len(arms)))
        needed[:-1] = between
        needed[1:] = np.maximum(needed[1:], between)
        return needed + self._margin

    def _parts(self, pair: int, path: F64) -> bool:
        """Is a pair too near at the start of a path, and nowhere nearer later on?"""
        distances = []
        for position in path:
            self._place(position)
            distances.append(self._measure(pair, position))
        return distances[0] < self._margin and min(distances) >= distances[0] - ROUNDING

    def _place(self, position: F64) -> None:
        pin.updateGeometryPlacements(self._model, self._data, self._shapes, self._distances, position)

    def _measure(self, pair: int, position: F64) -> float:
        """Distance of a pair with the arm placed at `position`, kept for later bounds."""
        distance = float(pin.computeDistance(self._shapes, self._distances, pair).min_distance)
        self._known[pair], self._at[pair] = distance, position
        return distance

    def _name(self, shape: int) -> str:
        return str(self._shapes.geometryObjects[shape].name).rsplit("_", 1)[0]

    def _drop_joined_pairs(self, boxes: list[int]) -> None:
        """Keep pairs that more than one joint lies between, and all that a box may have."""
        shapes, parents = self._shapes.geometryObjects, self._model.parents
        kept = []
        for first, second in _pairs(self._shapes):
            low, high = sorted((shapes[first].parentJoint, shapes[second].parentJoint))
            if parents[high] != low or {first, second} & set(boxes):
                kept.append((first, second))
        self._keep(kept)

    def _drop_near_pairs(self, home: F64, boxes: list[int], arm: ArmConfig) -> None:
        """Keep pairs that are apart at home."""
        self._place(home)
        pin.computeDistances(self._shapes, self._distances)
        kept = []
        for (first, second), result in zip(
            _pairs(self._shapes), self._distances.distanceResults, strict=True
        ):
            if result.min_distance >= self._margin:
                kept.append((first, second))
            elif {first, second} & set(boxes):
                raise ConfigError(
                    f"arm '{arm.name}': at home {self._name(first)} is {result.min_distance:.3f} m from the "
                    f"keep_out box '{self._name(second)}', nearer than its clearance of {self._margin:g} m; "
                    "make the box smaller or choose another home"
                )
        self._keep(kept)

    def _keep(self, pairs: list[tuple[int, int]]) -> None:
        self._shapes.removeAllCollisionPairs()
        for pair in pairs:
            self._shapes.addCollisionPair(pin.CollisionPair(*pair))
        self._distances = self._shapes.createData()


def _pairs(shapes: pin.GeometryModel) -> list[tuple[int, int]]:
    return [(pair.first, pair.second) for pair in shapes.collisionPairs]


def _shapes(arm: ArmConfig) -> pin.GeometryModel:
    """Collision shapes on the joints that are controlled."""
    text = urdf_text(collision_urdf(arm))
    full = pin.buildModelFromXML(text)
    try:
        shapes = pin.buildGeomFromUrdfString(full, text, pin.GeometryType.COLLISION)
        reference = pin.neutral(full)
        for name, value in arm.locked_joints.items():
            reference[full.joints[full.getJointId(name)].idx_q] = value
        locked = [full.getJointId(name) for name in arm.locked_joints]
        _, shapes = pin.buildReducedModel(full, shapes, locked, reference)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"arm '{arm.name}': its collision shapes cannot be read: {error}") from error
    for shape in shapes.geometryObjects:
        if isinstance(shape.geometry, coal.BVHModelBase):
            shape.geometry.buildConvexHull(True, "Qt")
            shape.geometry = shape.geometry.convex
        shape.geometry.computeLocalAABB()
    return shapes


def _add_box(shapes: pin.GeometryModel, name: str, box: Box, kinematics: Kinematics) -> int:
    """Add a box that is fixed in the arm's base frame; returns its number."""
    low, high = np.asarray(box.low), np.asarray(box.high)
    solid = coal.Box(*(high - low))
    solid.computeLocalAABB()
    place = kinematics.base_placement * pin.SE3(np.eye(3), (low + high) / 2.0)
    return int(shapes.addGeometryObject(pin.GeometryObject(f"{name}_0", 0, place, solid)))


def _lever_arms(model: pin.Model, shapes: pin.GeometryModel, pair: pin.CollisionPair) -> F64:
    """How far any point of the one can move against the other, per joint's turn, (n,) [m/rad]."""
    first, second = (shapes.geometryObjects[i] for i in (pair.first, pair.second))
    common = set(model.supports[first.parentJoint]) & set(model.supports[second.parentJoint])
    arms = np.zeros(model.nv)
    for shape in (first, second):
        centre, radius = shape.geometry.aabb_center, shape.geometry.aabb_radius
        reach = float(np.linalg.norm(shape.placement.act(centre))) + radius
        arms += lever_arms(model, shape.parentJoint, reach, common)
    return arms
