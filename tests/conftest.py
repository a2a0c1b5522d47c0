"""Settings shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# One thread each: tests must not depend on how many cores are free.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
# Wrongly typed message fields corrupt silently unless rclpy checks them.
os.environ.setdefault("ROS_PYTHON_CHECK_FIELDS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return Path(__file__).resolve().parents[1]
