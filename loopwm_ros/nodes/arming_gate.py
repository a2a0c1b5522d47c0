"""May this arm be armed? Only with a passed validation of arm and model, and with a camera in place."""

from __future__ import annotations

import math

from loopwm_ros.config import ArmConfig
from loopwm_ros.errors import LoopWMError
from loopwm_ros.nodes.heartbeats import ARM, BUNDLE, RATE, WORDS, Heard
from loopwm_ros.nodes.safety_parameters import SafetyParameters
from loopwm_ros.validation.certificate import load_certificate, settings_sha256, shortcomings
from loopwm_ros.validation.suite import load_suite

FIX = "make one with: loopwm validate --bundle BUNDLE --arm ARM --suite SUITE --out FOLDER"
PERMITTED = ("ok", "warn")  # states of the calibration node


def number(text: str) -> float:
    """What another node says in digits; NaN, which equals nothing, of anything else."""
    try:
        return float(text)
    except ValueError:
        return math.nan


class ArmingGate:
    """Asks for what is needed at every arming, and watches that it stays so."""

    def __init__(self, settings: SafetyParameters, arm: ArmConfig, mpc: Heard, calibration: Heard) -> None:
        """The suite is read at once, the validation at each arming.

        Raises:
            ConfigError: there is no such suite, or it is not usable.
        """
        self._settings, self._arm, self._mpc = settings, arm, mpc
        self._calibration = calibration
        self._suite = settings_sha256(load_suite(settings.suite)) if settings.suite else None
        self._permitted = ""  # hash of the bundle that the arm was armed with ...
        self._rate = ""  # ... and the commands a second that its mpc said it sends

    def refusals(self) -> list[str]:
        """Every reason why the arm must not be armed now; none: it may be."""
        self._permitted = ""
        chosen = self._settings
        found = self._unseen() if chosen.need_calibration else []
        return [*found, *(self._unvalidated() if chosen.need_validation else [])]

    def _unseen(self) -> list[str]:
        """Why the camera is not known to be where it was calibrated."""
        heard, state, words = self._calibration, self._calibration.state, self._calibration.value(WORDS)
        if not heard.alive:
            return [f"calibration is silent on {heard.topic}; start it: ros2 run loopwm_ros calibration"]
        if heard.rivals:
            return [f"two nodes live that send {heard.topic}: only one may, stop the others"]
        if heard.value(ARM) != self._arm.name:
            return [
                f"calibration looks at arm '{heard.value(ARM)}', not at '{self._arm.name}': start it for that"
            ]
        if state in PERMITTED:
            return []
        return [f"the camera is not known to be where it was calibrated: {words or state}"]

    def _unvalidated(self) -> list[str]:
        """Why there is no validation for what would move the arm."""
        chosen = self._settings
        if not self._mpc.alive:
            return ["mpc is silent on /mpc/state, so what it plans with is not known; start it"]
        bundle = self._mpc.value(BUNDLE)
        if not bundle:
            return ["mpc has no bundle yet: configure and activate it"]
        if chosen.certificate is None:
            return [f"no validation is given (parameter validation); {FIX}"]
        try:
            certificate = load_certificate(chosen.certificate, chosen.key)
            found = shortcomings(
                certificate,
                bundle_sha256=bundle,
                arm=self._arm,
                suite_sha256=self._suite,
                control_rate=number(self._mpc.value(RATE)),
            )
        except LoopWMError as error:
            return [str(error)]
        self._permitted, self._rate = "" if found else bundle, self._mpc.value(RATE)
        return found

    def broken(self) -> str:
        """Why an armed arm must not go on; empty where it may."""
        bundle, rate = self._mpc.value(BUNDLE), self._mpc.value(RATE)
        if not self._permitted or not self._mpc.alive or not bundle:
            return ""
        if rate != self._rate:
            return f"mpc has changed to {rate} commands a second, from the validated {self._rate}"
        if bundle == self._permitted:
            return ""
        return (
            f"mpc has changed to another bundle, {bundle[:12]}…, than the validated {self._permitted[:12]}…"
        )
