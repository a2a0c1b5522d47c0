"""Noise of corners and of joints are told apart."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.calibration.joint_noise import Noise, Whitening, estimate_noise


@pytest.mark.parametrize(("pixels", "joints"), [(0.1, 3e-4), (0.5, 1e-4), (0.2, 2e-3)])
def test_both_are_found(pixels: float, joints: float) -> None:
    rng = np.random.default_rng(0)
    sights, rows, count = 40, 60, 6
    by_joints = rng.normal(0.0, 500.0, (sights * rows, count))
    design = rng.normal(0.0, 300.0, (sights * rows, 12))
    slices = [slice(i * rows, (i + 1) * rows) for i in range(sights)]
    shared = np.repeat(rng.normal(0.0, joints, (sights, count)), rows, axis=0)
    residuals = np.sum(by_joints * shared, axis=1) + rng.normal(0.0, pixels, sights * rows)
    found = estimate_noise(residuals, design, by_joints, slices)
    assert found.pixels == pytest.approx(pixels, rel=0.1)
    assert found.joints == pytest.approx(joints, rel=0.2)
    whiten = Whitening(by_joints, slices, Noise(pixels, joints))
    assert np.std(whiten(residuals)) == pytest.approx(1.0, rel=0.05)
    assert np.mean(whiten.surprise(residuals)) == pytest.approx(count, rel=0.3)
    one = np.array(residuals)
    one[slices[5]] += by_joints[slices[5]] @ np.full(count, 10.0 * joints)
    assert int(np.argmax(whiten.surprise(one))) == 5
