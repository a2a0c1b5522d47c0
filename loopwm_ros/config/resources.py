"""Finds URDFs and their meshes: package://PACKAGE/path in a ROS package, a Python package, or nearby."""

from __future__ import annotations

import importlib.util
import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from loopwm_ros.config.files import share_dir
from loopwm_ros.config.outside import is_file, leaves
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
        return _plain(uri, beside)
    name, _, relative = uri.removeprefix(PACKAGE).partition("/")
    if leaves(name) or leaves(relative):
        raise ConfigError(f"{uri} does not name a file inside a package")
    folders = [*_nearby(name, beside), *_installed(name)]
    if not folders:
        raise ConfigError(
            f"{uri} needs the package '{name}', which is not installed: source its ROS workspace, or "
            "install it with pip"
        )
    for folder in folders:
        if is_file(folder / relative):
            return folder / relative
    raise ConfigError(f"{uri} not found in {', '.join(map(str, folders))}")


def _plain(uri: str, beside: Path | None) -> Path:
    """File of a path; one that a file names stays with that file's description, or in installed packages."""
    path = Path(uri.removeprefix("file://").replace("\0", ""))
    if beside is not None:
        path = Path(os.path.normpath(beside.resolve().parent / path))
        allowed = [_description(beside.resolve()), *_shares(), Path(sysconfig.get_path("purelib"))]
        if not any(path.is_relative_to(folder) for folder in allowed):
            raise ConfigError(
                f"{beside} names {uri}, which is outside of {allowed[0]} and of all installed packages; move "
                "it there"
            )
    if not is_file(path):
        raise ConfigError(f"{uri} not found at {path}")
    return path


def _description(beside: Path) -> Path:
    """The ROS package that a file lies in, else the folder above its own: `urdf/` has `meshes/` beside it."""
    above = beside.parents
    return next(
        (folder for folder in above if (folder / "package.xml").is_file()), above[min(1, len(above) - 1)]
    )


def _shares() -> Iterator[Path]:
    """Where installed ROS packages keep their files."""
    for prefix in filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        yield Path(prefix) / "share"


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
    yield from (share / name for share in _shares() if (share / name).is_dir())
    if name == OURS:
        yield share_dir()
    found = importlib.util.find_spec(name) if name.isidentifier() and name != "__main__" else None
    if found is not None and found.origin is not None and found.has_location:
        yield Path(found.origin).parent
