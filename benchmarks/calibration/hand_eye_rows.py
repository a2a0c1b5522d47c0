"""What hand-eye calibrations came to, as the result file holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.calibration.known import Cell
from loopwm_ros.calibration.hand_eye import HandEyeResult
from loopwm_ros.config.base import Settings
from loopwm_ros.processing.poses import apart, matrix
from loopwm_ros.types import F64

TRANSLATION, ROTATION = 1.0, 0.1  # promised [mm], [degrees]


@dataclass(frozen=True)
class Outcome:
    """One calibration against the truth."""

    shift: float  # error [mm]
    turn: float  # error [degrees]
    sigmas: F64  # errors over the reported 1-sigma: shifts and turns, (6,)
    rms: float  # [px]
    spread: float  # [degrees]
    joint_noise: float  # as estimated [mrad]
    samples: int  # taken
    put_in: int  # bad ones
    caught: int  # of these
    lost: int  # good ones that were dropped
    methods: Mapping[str, float | None]  # translation error of OpenCV's methods [mm]
    offsets: Sequence[float]  # errors of joint offsets [mrad]
    offset_sigmas: Sequence[float]
    held: Sequence[str]

    @classmethod
    def of(cls, place: Cell, found: HandEyeResult, offsets: Mapping[str, float], wrong: list[str]) -> Outcome:
        """Compare."""
        turn, shift = place.error(found.result)
        sigmas = np.concatenate(
            [shift / found.result.translation_std, turn / np.asarray(found.result.rotation_std)]
        )
        methods = {
            name: None
            if one is None
            else 1e3 * float(np.linalg.norm(apart(place.camera_place, matrix(one))[1]))
            for name, one in found.methods.items()
        }
        errors = {name: value - offsets[name] for name, value in found.result.joint_offsets.items()}
        return cls(
            shift=1e3 * float(np.linalg.norm(shift)),
            turn=float(np.degrees(np.linalg.norm(turn))),
            sigmas=sigmas,
            rms=found.rms,
            spread=float(np.degrees(found.spread)),
            joint_noise=1e3 * found.joint_noise,
            samples=len(found.residuals) + len(found.dropped),
            put_in=len(wrong),
            caught=len(set(wrong) & set(found.dropped)),
            lost=len(set(found.dropped) - set(wrong)),
            methods=methods,
            offsets=[1e3 * error for error in errors.values()],
            offset_sigmas=[error / found.offset_std[name] for name, error in errors.items()],
            held=list(found.held),
        )


class HandEyeRow(Settings):
    """Calibrations of one kind."""

    arm: str
    setup: str
    lens: str
    corners: str  # rendered or synthesised
    case: str
    runs: int
    within: int  # of these, within what is promised
    shift_mm: tuple[float, float]  # median and worst error
    turn_degrees: tuple[float, float]
    sigmas: tuple[float, ...]  # RMS of errors over reported 1-sigma: three shifts, three turns
    rms_px: float  # median
    spread_degrees: float  # median
    joint_noise_mrad: float  # median, as estimated
    bad_put_in: int
    bad_dropped: int
    good: int
    good_dropped: int
    methods_mm: dict[str, float | None]  # median translation error of OpenCV's methods on the samples kept
    offsets_mrad: tuple[float, float] | None  # RMS and worst error of joint offsets
    offset_sigma: float | None  # RMS of these over the reported 1-sigma
    held: dict[str, int]  # how often a joint's offset was held
    git_revision: str | None = None  # at which it was measured; None: the table's

    @property
    def key(self) -> tuple[str, ...]:
        """What was measured."""
        return (self.arm, self.setup, self.lens, self.corners, self.case)

    def line(self) -> str:
        """In short."""
        offsets = "" if self.offsets_mrad is None else f"; offsets {self.offsets_mrad[0]:.2f} mrad RMS"
        overall = float(np.sqrt(np.mean(np.square(self.sigmas))))
        return (
            f"{self.arm} {self.setup} {self.lens} {self.corners}, {self.case}: {self.within} of {self.runs} "
            f"within; {self.shift_mm[0]:.2f} mm median, {self.shift_mm[1]:.2f} worst, "
            f"{self.turn_degrees[1]:.3f} degrees worst, errors {overall:.2f} sigma; "
            f"bad dropped {self.bad_dropped} of {self.bad_put_in}, good "
            f"{self.good_dropped} of {self.good}; {self.rms_px:.2f} px{offsets}"
        )


class HandEyeTable(Settings):
    """All of them."""

    git_revision: str
    opencv: str
    poses: int
    corner_noise_px: float  # of synthesised corners
    translation_mm: float  # promised
    rotation_degrees: float  # promised
    rows: tuple[HandEyeRow, ...]

    def including(self, rows: Sequence[HandEyeRow]) -> HandEyeTable:
        """With these rows: in place of those of the same key, else behind their arm's and set-up's."""
        merged = list(self.rows)
        for new in rows:
            keys = [old.key for old in merged]
            if new.key in keys:
                merged[keys.index(new.key)] = new
                continue
            near = [at for at, key in enumerate(keys) if key[:3] == new.key[:3]]
            merged.insert(near[-1] + 1 if near else len(merged), new)
        return self.model_copy(update={"rows": tuple(merged)})


def row(
    arm: str,
    setup: str,
    lens: str,
    corners: str,
    case: str,
    outcomes: Sequence[Outcome],
    revision: str | None = None,
) -> HandEyeRow:
    """Calibrations of one kind, made at another revision than the table if that is given."""
    shifts, turns = [one.shift for one in outcomes], [one.turn for one in outcomes]
    within = sum(one.shift <= TRANSLATION and one.turn <= ROTATION for one in outcomes)
    errors = [error for one in outcomes for error in one.offsets]
    sigmas = [sigma for one in outcomes for sigma in one.offset_sigmas]
    held = [name for one in outcomes for name in one.held]
    bad = sum(one.put_in for one in outcomes)
    return HandEyeRow(
        arm=arm,
        setup=setup,
        lens=lens,
        corners=corners,
        case=case,
        runs=len(outcomes),
        within=within,
        shift_mm=_both(shifts),
        turn_degrees=_both(turns),
        sigmas=tuple(np.round(_rms([one.sigmas for one in outcomes]), 3).tolist()),
        rms_px=float(np.median([one.rms for one in outcomes])),
        spread_degrees=float(np.median([one.spread for one in outcomes])),
        joint_noise_mrad=float(np.median([one.joint_noise for one in outcomes])),
        bad_put_in=bad,
        bad_dropped=sum(one.caught for one in outcomes),
        good=sum(one.samples for one in outcomes) - bad,
        good_dropped=sum(one.lost for one in outcomes),
        methods_mm={name: _median([one.methods[name] for one in outcomes]) for name in outcomes[0].methods},
        offsets_mrad=(float(_rms(errors)), float(np.max(np.abs(errors)))) if errors else None,
        offset_sigma=float(_rms(sigmas)) if sigmas else None,
        held={name: held.count(name) for name in sorted(set(held))},
        git_revision=revision,
    )


def _both(values: Sequence[float]) -> tuple[float, float]:
    return float(np.median(values)), float(np.max(values))


def _rms(values: Sequence[float] | Sequence[F64]) -> F64:
    return np.sqrt(np.mean(np.square(values), axis=0))


def _median(values: Sequence[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return float(np.median(found)) if found else None
