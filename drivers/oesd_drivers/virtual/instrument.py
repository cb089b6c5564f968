"""A spectrometer without its protocol: settings, shutter, temperatures, and the frames it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .clock import FrameClock
from .model import Model
from .optics import Optics
from .scene import Light, Thermal

_POWER_ON_S = 0.1
_COOLING_S = 20.0
_COLDEST_C, _WARMEST_C = -40.0, 50.0
_LAMP = Thermal("lamp", 2960.0, 0.4)


@dataclass(frozen=True, slots=True)
class Exposed:
    """A frame: its counts, when the device has it ready, and how long it was exposed."""

    counts: NDArray[np.float64]
    ready_s: float
    integration_s: float
    index: int


class Instrument:
    """One unit under a light.

    Parameters
    ----------
    model : Model
    serial : str
    light : Light
    seed : int

    Attributes
    ----------
    shutter_closed : bool
        Blocks the scene, not the lamp; taken as it stands when a frame is asked for.
    board_temperature_c : float
        Also the detector's, where it is not cooled.
    lamp_on : bool
        The lamp enable line; a small halogen lamp hangs on it, between shutter and slit.
    """

    def __init__(self, model: Model, serial: str, light: Light, seed: int) -> None:
        self.model = model
        self.serial = serial
        self.optics = Optics(model, serial, seed)
        self.shutter_closed = False
        self.lamp_on = False
        self.board_temperature_c = 24.0
        self.trigger_mode = 0
        self.frames = 0
        self.cooler_on = False
        self.setpoint_c = -10.0
        self._cooled_c, self._cooled_at_s = self.setpoint_c, 0.0
        self._light = light
        self._rates = self._rates_per_emitter()
        self._lamp_rate = self.optics.rates(_LAMP)
        self._clock = FrameClock(_POWER_ON_S, 0.0)
        self._waiting = 0

    @property
    def integration_s(self) -> float:
        """Of the frame running now."""
        return self._clock.integration_s

    @property
    def ordered_integration_s(self) -> float:
        """What was ordered last, for frames to come."""
        return self._clock.ordered_s

    def power_on(self, now_s: float) -> None:
        """Settings after plugging in. A cooled detector comes up cold, so that frames depend on the seed alone."""
        self.trigger_mode, self.lamp_on, self.cooler_on, self._waiting = 0, False, self.model.detector.cooled, 0
        self._cooled_c, self._cooled_at_s = self.setpoint_c, now_s
        self._clock = FrameClock(_POWER_ON_S, now_s)

    def set_integration(self, integration_us: int, now_s: float) -> None:
        """Order an integration time; the running frame still has the old one."""
        self._clock.set(max(integration_us, 1) / 1e6, now_s)

    def request(self, now_s: float) -> Exposed | None:
        """Return the running frame; None when it has to wait for a trigger."""
        if self.trigger_mode in self.model.wire.waiting_triggers:
            self._waiting += 1
            return None
        ready_s, integration_s = self._clock.request(now_s)
        return self._expose(ready_s, integration_s, now_s)

    def fire(self, now_s: float) -> Exposed | None:
        """Begin the frame that waits for a trigger; None when none waits."""
        if not self._waiting:
            return None
        self._waiting -= 1
        return self._expose(now_s + self.integration_s, self.integration_s, now_s)

    def forget_requests(self) -> None:
        """Drop frames that wait for a trigger."""
        self._waiting = 0

    def detector_temperature_c(self, now_s: float) -> float:
        """Return the detector's temperature: on its way to the setpoint where a cooler runs."""
        if not self.model.detector.cooled:
            return self.board_temperature_c
        goal_c = self.setpoint_c if self.cooler_on else self.board_temperature_c
        left = math.exp(-(now_s - self._cooled_at_s) / _COOLING_S)
        self._cooled_c, self._cooled_at_s = goal_c + (self._cooled_c - goal_c) * left, now_s
        return self._cooled_c

    def cool(self, now_s: float, *, on: bool | None = None, setpoint_c: float | None = None) -> None:
        """Switch the cooler, or give it another goal within its reach."""
        self.detector_temperature_c(now_s)  # settles the way so far before the goal changes
        if on is not None:
            self.cooler_on = on
        if setpoint_c is not None:
            self.setpoint_c = min(_WARMEST_C, max(_COLDEST_C, setpoint_c))

    def _expose(self, ready_s: float, integration_s: float, now_s: float) -> Exposed:
        index, self.frames = self.frames, self.frames + 1
        counts = self.optics.frame(self._rate(), integration_s, self.detector_temperature_c(now_s), index)
        return Exposed(counts, ready_s, integration_s, index)

    def _rate(self) -> NDArray[np.float64]:
        dark = np.zeros(self.model.detector.pixels)
        scene = dark if self.shutter_closed else self._light.levels() @ self._rates
        return np.asarray(scene + self._lamp_rate if self.lamp_on else scene, dtype=np.float64)

    def _rates_per_emitter(self) -> NDArray[np.float64]:
        rates = [self.optics.rates(emitter) for emitter in self._light.scene.emitters]
        return np.array(rates, dtype=np.float64).reshape(len(rates), self.model.detector.pixels)
