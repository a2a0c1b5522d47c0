"""The message factory over rclpy's classes."""

from __future__ import annotations

from importlib import import_module

from loopwm_ros.messages import MESSAGE_TYPES, MessageFactory, array_sequence


def _message_class(name: str) -> type:
    """Class of "package/msg/Type"."""
    package, _, kind = name.split("/")
    found: type = getattr(import_module(f"{package}.msg"), kind)
    return found


def message_factory() -> MessageFactory:
    """Builds messages that rclpy publishes."""
    return MessageFactory({name: _message_class(name) for name in MESSAGE_TYPES}, array_sequence)
