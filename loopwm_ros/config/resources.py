"""Finds URDFs and their meshes: package://PACKAGE/path in a ROS package, a Python package, or nearby."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from loopwm_ros.config.files import share_dir
from loopwm_ros.errors import ConfigError

PACKAGE = "package://"
OURS = "loopwm_ros"


def find_resource(uri: str, beside: Path | None = None) -> Path:
    """File of a URI: package://PACKAGE/path, file://PATH, or a path.

    A package is a ROS package of a sourced workspace, this package's data, or a Python package. `beside` is
    the file that names the URI: a path is relative to its folder, and a package may also be a folder there or
    one that it lies in, as in a description that was never built. Without it a path is relative to where
    one works.

    Raises:
        ConfigError: there is no such package or file.
    """
    if not uri.startswith(PACKAGE):
        path = Path(uri.removeprefix("file://"))
        path = path if beside is None else beside.resolve().parent / path
        if not path.is_file():
            raise ConfigError(f"{uri} not found at {path}")
        return path
    name, _, relative = uri.removeprefix(PACKAGE).partition("/")
    folders = [*_nearby(name, beside), *_installed(name)]
    if not folders:
        raise ConfigError(
            f"{uri} needs the package '{name}', which is not installed: source its ROS workspace, or "
            "install it with pip"
        )
    for folder in folders:
        if (folder / relative).is_file():
            return folder / relative
    raise ConfigError(f"{uri} not found in {', '.join(map(str, folders))}")


def _nearby(name: str, beside: Path | None) -> Iterator[Path]:
    """Folders of that name beside a file, or that it lies in."""
    if beside is None:
        return
    above = beside.resolve().parents
    if (above[0] / name).is_dir():
        yield above[0] / name
    yield from (folder for folder in above if folder.name == name)


def _installed(name: str) -> Iterator[Path]:
    """Where an installed package keeps its files."""
    for prefix in filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        share = Path(prefix) / "share" / name
        if share.is_dir():
            yield share
    if name == OURS:
        yield share_dir()
    found = importlib.util.find_spec(name) if name.isidentifier() else None
    if found is not None and found.origin is not None:
        yield Path(found.origin).parent
