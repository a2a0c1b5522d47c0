"""Node parameters from a settings model: typed, ranged and described once, in the model's fields.

A field marked `json_schema_extra=LIVE` may change at any time; the others not while `locked` gives a reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from loopwm_ros.config import Settings, SettingsT
from loopwm_ros.errors import ConfigError

LIVE: dict[str, Any] = {"live": True}


def _bounds(field: FieldInfo) -> tuple[Any, Any]:
    """Inclusive lower and upper bound of a field, None where it has none."""
    low = next((m.ge for m in field.metadata if isinstance(m, annotated_types.Ge)), None)
    high = next((m.le for m in field.metadata if isinstance(m, annotated_types.Le)), None)
    return low, high


def descriptor(name: str, field: FieldInfo) -> ParameterDescriptor:
    """What `ros2 param describe` shows of a field."""
    made = ParameterDescriptor(name=name, description=field.description or "")
    if get_origin(field.annotation) is Literal:
        made.additional_constraints = "one of: " + ", ".join(map(str, get_args(field.annotation)))
    low, high = _bounds(field)
    if low is not None and high is not None:
        if field.annotation is int:
            made.integer_range = [IntegerRange(from_value=low, to_value=high, step=0)]
        else:
            made.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)
            ]
    return made


def declare(node: Node, kind: type[Settings]) -> None:
    """Declare a parameter for each field of `kind`.

    Raises:
        ConfigError: the start-up value of a parameter has the wrong type or is out of range.
    """
    try:
        for name, field in kind.model_fields.items():
            node.declare_parameter(name, field.default, descriptor(name, field))
    except ParameterException as error:
        raise ConfigError(str(error)) from error


def _validated(kind: type[SettingsT], values: dict[str, Any]) -> SettingsT:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise ConfigError(f"parameter '{name}' is {first['input']!r}: {first['msg']}") from error


def read(node: Node, kind: type[SettingsT]) -> SettingsT:
    """The node's parameters as settings.

    Raises:
        ConfigError: a value does not validate; the message names the parameter.
    """
    return _validated(kind, {name: node.get_parameter(name).value for name in kind.model_fields})


def guard(node: Node, kind: type[Settings], locked: Callable[[], str | None]) -> None:
    """Refuse invalid values, and while `locked` gives a reason, changes of fields that are not live."""

    def check(changes: list[Parameter[Any]]) -> SetParametersResult:
        ours = {p.name: p.value for p in changes if p.name in kind.model_fields}
        fixed = sorted(n for n in ours if kind.model_fields[n].json_schema_extra != LIVE)
        reason = locked()
        if fixed and reason:
            return SetParametersResult(successful=False, reason=f"'{fixed[0]}' cannot change: {reason}")
        values = {name: node.get_parameter(name).value for name in kind.model_fields}
        try:
            _validated(kind, {**values, **ours})
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)
